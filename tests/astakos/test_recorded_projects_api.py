"""Project calls against facts recorded from the original: status, type, headers, keys and their types.

``tests/data/astakos_projects_recorded.json`` holds one fact a line; ``stage`` says how far the
project had come.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from astakos.models import ProjectApplication
from tests.astakos.conftest import Api, MakeUser
from tests.astakos.project_world import PROJECTS, ProjectWorld, make_world
from tests.astakos.test_recorded_api import assert_same_body

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FACTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "astakos_projects_recorded.json").read_text(encoding="utf-8")
)
NAME = "genome.lab.example"

#: Fact id -> (what we answer instead, why).
DIFFERENCES: dict[str, tuple[dict[str, Any], str]] = {}


class Story:
    """A project brought to a stage by the calls that people would make."""

    def __init__(self, world: ProjectWorld, stage: str) -> None:
        self.world = world
        grant = {"demo.vm": {"project_capacity": 10, "member_capacity": 2}}
        self.uuid, self.application = world.apply(NAME, resources=grant)
        self.membership = 0
        for step in STEPS[stage]:
            getattr(self, step)()

    def approve(self) -> None:
        assert self.world.answer("approve", self.uuid, self.application).status_code == 200

    def join(self) -> None:
        assert self.world.join(self.uuid).status_code == 200
        self.membership = self.world.membership(self.uuid)

    def accept(self) -> None:
        assert self.world.on_membership("accept", self.membership).status_code == 200

    def leave(self) -> None:
        member = self.world.member
        assert self.world.on_membership("leave", self.membership, by=member).status_code == 200

    def modify(self) -> None:
        answer = self.world.owner.api.call("PUT", f"{PROJECTS}/{self.uuid}", {"description": "changed"})
        assert answer.status_code == 201, answer.content
        self.application = ProjectApplication.objects.latest("id").pk

    def deny(self) -> None:
        assert self.world.answer("deny", self.uuid, self.application).status_code == 200

    def dismiss(self) -> None:
        assert (
            self.world.answer("dismiss", self.uuid, self.application, by=self.world.owner).status_code == 200
        )

    def suspend(self) -> None:
        assert self.world.act("suspend", self.uuid).status_code == 200

    def terminate(self) -> None:
        assert self.world.act("terminate", self.uuid).status_code == 200

    def filled(self, text: str) -> str:
        """Return *text* with the placeholders replaced."""
        names = {
            "project": self.uuid, "owner": self.world.owner.uuid, "membership": self.membership,
            "application": self.application, "name": NAME,
        }  # fmt: skip
        for name, value in names.items():
            text = text.replace("{" + name + "}", str(value))
        return text


STEPS: dict[str, tuple[str, ...]] = {
    "pending": (),
    "active": ("approve",),
    "requested": ("approve", "join"),
    "joined": ("approve", "join", "accept"),
    "left": ("approve", "join", "accept", "leave"),
    "modified": ("approve", "modify"),
    "denied": ("approve", "modify", "deny"),
    "suspended": ("approve", "join", "accept", "suspend"),
    "terminated": ("approve", "modify", "deny", "dismiss", "terminate"),
}


@pytest.mark.parametrize("stage", STEPS)
def test_answers_agree_with_the_recorded_ones(
    service: Api, make_user: MakeUser, settings: Any, stage: str
) -> None:
    world = make_world(service, make_user, settings)
    story = Story(world, stage)
    for fact in FACTS:
        if fact.get("stage", "pending") == stage:
            with transaction.atomic():
                check(story, fact)
                transaction.set_rollback(True)


def check(story: Story, fact: dict[str, Any]) -> None:
    """Make the call of *fact* and compare the answer."""
    world = story.world
    people = {"owner": world.owner.api, "member": world.member.api, "admin": world.admin.api}
    expected = {**fact, **DIFFERENCES.get(fact["id"], ({}, ""))[0]}
    response = people.get(fact.get("token"), Api(world.owner.api.client)).call(
        fact["method"], story.filled(fact["path"]), story.filled(fact["body"]) if "body" in fact else None
    )
    assert response.status_code == expected["status"], (fact["id"], response.content)
    assert response["Content-Type"] == expected["type"], fact["id"]
    assert response["Vary"] == "X-Auth-Token, Accept-Language", fact["id"]
    assert_same_body(response.content, expected["shape"])


def test_every_fact_has_a_stage() -> None:
    assert {fact.get("stage", "pending") for fact in FACTS} == set(STEPS)


def test_every_difference_names_a_fact() -> None:
    assert set(DIFFERENCES) <= {fact["id"] for fact in FACTS}
