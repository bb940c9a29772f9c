"""Object storage against facts recorded from the original, played in the order they were seen."""

from __future__ import annotations

import pytest
from django.test import Client

from astakos import public as astakos
from pithos.public import service_definitions
from tests import recorded

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FAULT = {"code": "number", "message": "string", "details": "string"}
DIFFERENCES: recorded.Differences = {
    "acc-get-badtoken": (
        {"shape": {"unauthorized": FAULT}},
        "a wrong token is reported like a missing one; clients read the only key there is",
    ),
}


@pytest.fixture
def names(db: None) -> dict[str, str]:
    """What stands for the two users of the recordings."""
    astakos.register_component(
        name="pithos", base_url="http://testserver/pithos", ui_url="http://testserver/pithos/ui",
        services=service_definitions(),
    )  # fmt: skip
    alice, bob = (
        astakos.create_user(
            email=f"{name}@lab.example", password="a-password", first_name=name, last_name="X"
        )
        for name in ("alice", "bob")
    )
    return {"user": alice.uuid, "token": alice.token, "other": bob.uuid, "other_token": bob.token}


def test_answers_are_those_recorded(client: Client, names: dict[str, str]) -> None:
    problems = {}
    for fact in recorded.load("pithos"):
        changed = DIFFERENCES.get(fact["id"], ({}, ""))[0]
        found = recorded.play(client, {**fact, **changed}, names)
        if found:
            problems[fact["id"]] = found
    assert problems == {}


def test_every_difference_is_of_a_recorded_fact() -> None:
    assert DIFFERENCES.keys() <= {fact["id"] for fact in recorded.load("pithos")}
