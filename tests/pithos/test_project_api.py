"""Containers charged to projects, and their reassignment (object-storage contract 5.4, 17.3)."""

from __future__ import annotations

import json

import pytest

from astakos import public as astakos
from tests.pithos.conftest import Person

pytestmark = pytest.mark.db

PROJECTS = "/astakos/account/v1.0/projects"
CAPACITY = 100


@pytest.fixture
def project(maria, nikos, settings) -> str:
    """A project of maria's with room for a hundred bytes; nikos approves it."""
    astakos.register_component(
        name="astakos", base_url="http://testserver/astakos", ui_url="http://testserver/ui",
        services=astakos.service_definitions(),
    )  # fmt: skip
    settings.ASTAKOS_PROJECT_ADMINS = [nikos.uuid]

    def ask(person: Person, path: str, body: object) -> dict:
        reply = person.client.post(
            PROJECTS + path,
            json.dumps(body),
            content_type="application/json",
            headers={"X-Auth-Token": person.token},
        )
        assert reply.status_code in (200, 201), reply.content
        return json.loads(reply.content) if reply.content else {}

    room = {"pithos.diskspace": {"project_capacity": CAPACITY, "member_capacity": CAPACITY}}
    body = {"name": "genome.lab.example", "end_date": "2200-01-01T00:00:00+00:00", "join_policy": "moderated"}
    made = ask(maria, "", {**body, "resources": room})
    ask(nikos, f"/{made['id']}/action", {"approve": {"reason": "", "app_id": made["application"]}})
    ask(maria, "/memberships", {"enroll": {"project": made["id"], "user": "maria@lab.example"}})
    return made["id"]


def usage(person: Person) -> dict[str, int]:
    rows = astakos.service_quotas(users=[person.uuid], resources=["pithos.diskspace"])
    return {row.project: row.usage for row in rows if row.usage}


def assign(person: Person, container: str, project: str, query: str = "update") -> int:
    headers = {"x_container_policy_project": project}
    return person.post(container, type="", query=query, **headers).status_code


def test_reassigning_a_container_moves_its_bytes(maria, project):
    maria.put("docs/x", b"x" * 60)
    assert assign(maria, "docs", project) == 202
    assert usage(maria) == {project: 60}
    maria.put("docs/y", b"y" * 40)
    assert maria.put("docs/z", b"z").status_code == 413
    assert usage(maria) == {project: 100}
    assert maria.post("docs", type="", x_container_policy_quota="1000").status_code == 202
    assert maria.head("docs")["X-Container-Policy-Project"] == project  # never changed unasked
    assert assign(maria, "docs", maria.uuid, query="") == 202
    assert usage(maria) == {maria.uuid: 100}


def test_a_project_without_room_is_413_and_changes_nothing(maria, project):
    maria.put("docs/x", b"x" * 101)
    assert assign(maria, "docs", project) == 413
    assert maria.head("docs")["X-Container-Policy-Project"] == maria.uuid
    assert usage(maria) == {maria.uuid: 101}


def test_moves_between_projects_are_charged_to_both(maria, project):
    maria.put("pool", x_container_policy_project=project)
    for name in ("f", "f/1"):
        maria.put(f"docs/{name}", b"x" * 30)
    maria.put("pool/f", b"x" * 10)
    assert usage(maria) == {maria.uuid: 60, project: 10}

    def send(method: str, path: str, target: str) -> int:
        return maria.call(method, path, type="", destination=target, query="delimiter=/").status_code

    assert send("MOVE", "docs/f", "/pool/f") == 201
    assert usage(maria) == {project: 60}
    assert send("COPY", "pool/f", "/pool/g") == 413
    assert send("COPY", "pool/f", "/docs/g") == 201
    assert usage(maria) == {project: 60, maria.uuid: 60}
    assert send("MOVE", "pool/f", "/docs/g") == 201
    assert usage(maria) == {maria.uuid: 60}


def test_charged_history_moves_with_the_container(maria, project, settings):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    maria.put("docs/x", b"12345")
    maria.put("docs/x", b"123")
    maria.post("docs/x", type="", query="update", x_object_meta_a="1")
    assert assign(maria, "docs", project) == 202
    assert usage(maria) == {project: 8}
    maria.delete("docs/x", query="until=9999999999")
    assert usage(maria) == {}
