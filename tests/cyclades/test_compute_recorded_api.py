"""The compute service against facts recorded from the original, played in the order they were seen."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests import recorded

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]

FAULT = {"code": "number", "message": "string", "details": "string"}
DIFFERENCES: recorded.Differences = {
    "action-rebuild": (
        {"status": 501, "shape": {"notImplemented": FAULT}},
        "an action of the dialect that is not offered is told apart from one that does not exist",
    ),
}


def test_answers_are_those_recorded(
    client: Client, person: Any, stranger: Any, flavor: Any, image: Any, make_server: Any
) -> None:
    names = {
        "user": person.uuid, "token": person.api.token, "other": stranger.uuid,
        "other_token": stranger.api.token, "server": make_server().pk, "flavor": flavor.pk, "image": image.id,
    }  # fmt: skip
    problems = {}
    for fact in recorded.load("compute"):
        changed = DIFFERENCES.get(fact["id"], ({}, ""))[0]
        found = recorded.play(client, {**fact, **changed}, names)
        if found:
            problems[fact["id"]] = found
    assert problems == {}


def test_every_difference_is_of_a_recorded_fact() -> None:
    assert DIFFERENCES.keys() <= {fact["id"] for fact in recorded.load("compute")}
