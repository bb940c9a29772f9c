"""Charging a container to another project (object-storage contract 17.3)."""

from __future__ import annotations

import json

import pytest

from astakos import public as astakos
from astakos.logic.limits import sync_holdings
from astakos.models import (
    Holding,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from pithos.logic import reconciliation
from synnefo import clock
from tests.pithos.conftest import Person

pytestmark = pytest.mark.db


@pytest.fixture
def project(maria: Person) -> str:
    """A project of Maria's with 100 bytes of disk space."""
    user = User.objects.get(uuid=maria.uuid)
    project = Project.objects.create(
        realname="shared.example", creation_date=clock.now(), end_date=clock.now(), member_join_policy=1,
        member_leave_policy=1, limit_on_members_number=10, state=ProjectState.ACTIVE, private=True,
        owner=user,
    )  # fmt: skip
    ProjectMembership.objects.create(
        project=project, person=user, state=MembershipState.ACCEPTED, initialized=True
    )
    ProjectResourceQuota.objects.create(
        project=project,
        resource=Resource.objects.get(name="pithos.diskspace"),
        project_capacity=100,
        member_capacity=100,
    )
    sync_holdings(project_ids=[project.pk])
    return str(project.uuid)


def usage(person: Person) -> dict[str, int]:
    rows = astakos.service_quotas(users=[person.uuid], resources=["pithos.diskspace"])
    return {row.project: row.usage for row in rows if row.usage}


def reassign(person: Person, project: str, **options: str) -> int:
    headers = {"x_container_policy_project": project}
    return person.post("docs", type="", **headers, **options).status_code


def test_the_containers_bytes_move_to_the_other_project(maria, project):
    maria.put("docs/x", b"hello")
    maria.put("docs/x", b"hello again")
    maria.put("other")
    maria.put("other/y", b"stays")
    assert reassign(maria, project, query="update") == 202
    assert usage(maria) == {project: 11, maria.uuid: 5}
    assert maria.head("docs")["X-Container-Policy-Project"] == project
    rows = astakos.project_quotas(resources=["pithos.diskspace"], projects=[project])
    assert rows[0].usage == 11
    maria.put("docs/z", b"12345")
    maria.delete("docs/x")
    assert usage(maria) == {project: 5, maria.uuid: 5}
    assert reassign(maria, maria.uuid) == 202  # the web interface sends no update
    assert usage(maria) == {maria.uuid: 10}
    assert not reconciliation.compare().unsynced


def test_superseded_versions_move_along_where_they_are_charged(settings, maria, project):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    maria.put("docs/x", b"hello")
    maria.put("docs/x", b"hello again")
    assert reassign(maria, project, query="update") == 202
    assert usage(maria) == {project: 16}
    assert not reconciliation.compare().unsynced


def test_a_project_without_room_refuses_and_nothing_changes(maria, project):
    maria.put("docs/x", bytes(101))
    answer = maria.post("docs", type="", query="update", x_container_policy_project=project)
    assert answer.status_code == 413
    assert "fault" in json.loads(answer.content)
    assert usage(maria) == {maria.uuid: 101}
    assert maria.head("docs")["X-Container-Policy-Project"] == maria.uuid


def test_only_members_and_only_projects_that_exist(maria, nikos, project):
    for other, status in ((project, 403), ("no-such-project", 404)):
        answer = nikos.post("own", type="", query="update", x_container_policy_project=other)
        assert answer.status_code == status
    assert nikos.head("own")["X-Container-Policy-Project"] == nikos.uuid


def test_an_empty_container_moves_too(maria, project):
    assert reassign(maria, project, query="update") == 202
    maria.put("docs/x", b"hello")
    assert usage(maria) == {project: 5}


def test_the_same_project_again_changes_nothing(maria, project):
    maria.put("docs/x", b"hello")
    assert reassign(maria, maria.uuid, query="update") == 202
    assert usage(maria) == {maria.uuid: 5}


def test_a_move_between_projects_charges_both(maria, project):
    maria.put("docs/x", b"hello")
    maria.put("other", x_container_policy_project=project)
    assert maria.call("MOVE", "docs/x", destination="/other/x").status_code == 201
    assert usage(maria) == {project: 5}
    assert Holding.objects.get(holder=f"project:{maria.uuid}", resource="pithos.diskspace").usage_max == 0
