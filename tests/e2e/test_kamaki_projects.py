"""What the last released kamaki does with projects and memberships; it needs no cluster for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from astakos import public
from astakos.models import Project, ProjectState, Resource
from astakos.public import ResourceDefinition, ServiceDefinition
from tests.lab.kamaki import Kamaki

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
Person = Callable[[str], tuple[str, Kamaki]]


@pytest.fixture
def person(live_server: LiveServer, settings: Any, kamaki: Kamaki, tmp_path: Path) -> Person:
    """Make users, each with a kamaki configuration of its own."""
    base = f"{live_server.url}/astakos"
    settings.ASTAKOS_BASE_URL = base
    services = [
        *public.service_definitions(),
        ServiceDefinition(
            name="demo_compute", type="compute", prefix="compute", endpoints=({"versionId": "v2.0"},),
            resources=(ResourceDefinition("demo.vm", "Servers"),),
        ),
    ]  # fmt: skip
    public.register_component(name="astakos", base_url=base, ui_url=f"{base}/ui", services=services)
    Resource.objects.filter(name="astakos.pending_app").update(uplimit=3)

    def make(name: str) -> tuple[str, Kamaki]:
        user = public.create_user(
            email=f"{name}@lab.example", password="a-password", first_name=name, last_name="K"
        )
        directory = tmp_path / name
        directory.mkdir()
        client = Kamaki(kamaki._program, directory)
        client.configure(auth_url=f"{base}/identity/v2.0", token=user.token)
        return user.uuid, client

    return make


def test_a_project_from_application_to_termination(person: Person, settings: Any) -> None:
    owner_uuid, owner = person("olga")
    _, member = person("mary")
    admin_uuid, admin = person("ada")
    settings.ASTAKOS_PROJECT_ADMINS = {admin_uuid}

    owner(
        "project", "create", "--name", "genome.lab.example", "--end-date", "2190-12-31", "--description", "d",
        "--resource", "demo.vm=2,10", "--max-members", "5", "--join-policy", "moderated",
    )  # fmt: skip
    (listed,) = owner.json("project", "list", "--with-state", "uninitialized")
    uuid = str(listed["id"])
    application = str(owner.json("project", "info", uuid)["last_application"]["id"])
    assert owner.run(["project", "approve", uuid, "--app-id", application]).returncode != 0
    admin("project", "approve", uuid, "--app-id", application, "--reason", "fine")
    shown = owner.json("project", "info", uuid)
    assert (shown["state"], shown["owner"], shown["max_members"]) == ("active", owner_uuid, 5)
    assert shown["resources"]["demo.vm"] == {"member_capacity": 2, "project_capacity": 10}

    member("project", "join", uuid)
    (membership,) = owner.json("membership", "list", "--project-id", uuid)
    assert (membership["state"], set(membership["allowed_actions"])) == ("requested", {"accept", "reject"})
    number = str(membership["id"])
    owner("membership", "accept", number)
    assert owner.json("membership", "info", number)["state"] == "accepted"
    assert member.json("quota", "list")[uuid]["demo.vm"]["limit"] == 2

    owner("project", "modify", uuid, "--max-members", "7")
    change = str(owner.json("project", "info", uuid)["last_application"]["id"])
    owner("project", "cancel", uuid, "--app-id", change)
    assert owner.json("project", "info", uuid)["last_application"]["state"] == "cancelled"

    member("membership", "leave", number)
    owner("project", "enroll", uuid, "--email", "mary@lab.example")
    owner("membership", "remove", number)
    for action, state in (
        ("suspend", ProjectState.SUSPENDED), ("unsuspend", ProjectState.ACTIVE),
        ("terminate", ProjectState.TERMINATED), ("reinstate", ProjectState.ACTIVE),
    ):  # fmt: skip
        admin("project", action, uuid)
        assert Project.objects.get(uuid=uuid).state == state
