"""Object storage against facts recorded from the original, played in the order they were seen."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client

from astakos import public as astakos
from astakos.models import Resource
from pithos.models import PublicLink, Version
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
    return names_with_limit(None)


def names_with_limit(limit: int | None) -> dict[str, Any]:
    astakos.register_component(
        name="pithos", base_url="http://testserver/pithos", ui_url="http://testserver/pithos/ui",
        services=service_definitions(),
    )  # fmt: skip
    if limit is not None:
        Resource.objects.filter(name="pithos.diskspace").update(uplimit=limit)
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


class Now:
    """A value that is looked up whenever a request needs it."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self.rows = rows

    def __str__(self) -> str:
        return "".join(str(value) for (value,) in self.rows.all()[:1])


def test_answers_to_a_longer_story_are_those_recorded(client: Client, db: None) -> None:
    people = names_with_limit(3000)
    people["version"] = Now(Version.objects.filter(node__name="hello.txt").order_by("pk").values_list("pk"))
    people["public"] = Now(PublicLink.objects.values_list("url"))
    facts = recorded.load("pithos_scene")
    problems = {fact["id"]: recorded.play(client, fact, people) for fact in facts}
    assert {name: found for name, found in problems.items() if found} == {}


def test_answers_with_md5_tags_are_those_recorded(client: Client, names: dict[str, str], settings) -> None:
    settings.PITHOS_UPDATE_MD5 = True
    facts = recorded.load("pithos_md5")
    problems = {fact["id"]: recorded.play(client, fact, names) for fact in facts}
    assert {name: found for name, found in problems.items() if found} == {}


def test_the_tags_with_md5_are_those_recorded(client: Client, names: dict[str, str], settings) -> None:
    settings.PITHOS_UPDATE_MD5 = True
    for fact in recorded.load("pithos_md5")[:-1]:
        recorded.play(client, fact, names)
    token = {"X-Auth-Token": names["token"]}
    tags = {
        name: client.head(f"/pithos/object-store/v1/{names['user']}/md5c/{name}", headers=token)["ETag"]
        for name in ("o.txt", "p.txt", "seg/0", "joined")
    }
    assert tags == {
        "o.txt": "5eb63bbbe01eeed093cb22bb8f5acdc3",
        "p.txt": "5eb63bbbe01eeed093cb22bb8f5acdc3",
        "seg/0": "6a04982c4e0422f673007fd4f19f4025",
        "joined": "34cb3e27b02342470fcf49c4ec60ee85",
    }


def test_every_difference_is_of_a_recorded_fact() -> None:
    assert DIFFERENCES.keys() <= {fact["id"] for fact in recorded.load("pithos")}
