"""Reading projects: who sees what."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from astakos.models import MembershipState, ProjectLog, ProjectState
from synnefo import clock
from tests.astakos.conftest import Api, MakeUser, Person
from tests.astakos.test_account_api import make_project

pytestmark = [pytest.mark.db, pytest.mark.django_db]
PROJECTS = "account/v1.0/projects"


@pytest.fixture
def person(service: Api, make_user: MakeUser) -> Any:
    return make_user()


@pytest.fixture
def stranger(person: Person, make_user: MakeUser) -> Any:
    return make_user("joe@lab.example")


def listed(person: Person, query: str = "") -> set[str]:
    return {project["id"] for project in person.api.get(f"{PROJECTS}{query}").json()}


def test_system_project_as_its_user_reads_it(person: Person) -> None:
    (project,) = person.api.get(PROJECTS).json()
    assert project["id"] == person.uuid
    assert project["name"] == f"system:{person.uuid}"
    assert project["description"] == "system project for user maria@lab.example"
    assert (project["state"], project["owner"], project["system_project"]) == ("active", None, True)
    assert (project["join_policy"], project["leave_policy"], project["max_members"]) == (
        "closed",
        "closed",
        1,
    )
    assert project["resources"]["demo.vm"] == {"member_capacity": 4, "project_capacity": 4}
    assert "demo.hidden" not in project["resources"]
    assert "last_application" not in project
    assert "deactivation_date" not in project


def test_default_lists_related_projects_only(person: Person, stranger: Person) -> None:
    public = make_project(person)
    assert listed(person) == {person.uuid, public.uuid}
    assert listed(stranger) == {stranger.uuid}
    assert listed(stranger, "?mode=active") == {public.uuid}
    assert listed(stranger, "?mode=member") == {stranger.uuid}


def test_filters(person: Person) -> None:
    project = make_project(person, ProjectState.SUSPENDED)
    assert listed(person, "?state=suspended") == {project.uuid}
    assert listed(person, "?name=p") == {project.uuid}
    assert listed(person, f"?owner={person.uuid}") == set()
    assert person.api.get(f"{PROJECTS}?state=unknown").status_code == 400
    assert person.api.get(f"{PROJECTS}?mode=unknown").status_code == 400


@pytest.mark.parametrize(
    ("state", "private", "member", "status"),
    [
        (ProjectState.ACTIVE, False, None, 200),
        (ProjectState.ACTIVE, True, None, 403),
        (ProjectState.SUSPENDED, False, None, 403),
        (ProjectState.SUSPENDED, True, MembershipState.ACCEPTED, 200),
        (ProjectState.SUSPENDED, True, MembershipState.SUSPENDED, 200),
        (ProjectState.SUSPENDED, True, MembershipState.REQUESTED, 403),
        (ProjectState.SUSPENDED, True, MembershipState.REMOVED, 403),
    ],
)
def test_visibility(
    person: Person, state: ProjectState, private: bool, member: MembershipState | None, status: int
) -> None:
    project = make_project(person, state, member)
    project.private = private
    project.save()
    assert person.api.get(f"{PROJECTS}/{project.uuid}").status_code == status


def test_unknown_project(person: Person) -> None:
    assert person.api.get(f"{PROJECTS}/00000000-0000-4000-8000-000000000000").status_code == 404


def test_project_admin_sees_everything_with_deactivation_date(
    person: Person, stranger: Person, settings: Settings
) -> None:
    project = make_project(person, ProjectState.SUSPENDED)
    ProjectLog.objects.create(project=project, to_state=ProjectState.SUSPENDED, date=clock.now())
    assert "deactivation_date" not in person.api.get(f"{PROJECTS}/{project.uuid}").json()
    settings.ASTAKOS_PROJECT_ADMINS = {stranger.uuid}
    assert listed(stranger) == {person.uuid, stranger.uuid, project.uuid}
    assert stranger.api.get(f"{PROJECTS}/{project.uuid}").json()["deactivation_date"].endswith("+00:00")


def test_list_does_not_query_per_project(
    person: Person, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(4):
        make_project(person)
    with django_assert_max_num_queries(3):
        assert len(person.api.get(PROJECTS).json()) == 5
