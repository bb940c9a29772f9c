"""Two people decide about the same project at once: one wins, the other hears of a conflict."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from astakos.logic import applications, memberships
from astakos.models import Holding, Project, ProjectApplication, ProjectMembership, ProjectState
from astakos.models.project import ACCEPTED_STATES
from synnefo.credentials import Credentials
from synnefo.errors import Conflict
from tests.astakos.conftest import MakeUser, Person
from tests.astakos.project_world import PENDING_APP, ProjectWorld, make_world
from tests.astakos.test_commissions_race import in_threads
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, needs_postgres]
ADMINISTRATOR = Credentials.administrator()


@pytest.fixture
def world(
    transactional_db: None, service: Any, make_user: MakeUser, settings: Any, client: Client
) -> ProjectWorld:
    return make_world(service, make_user, settings)


def acting(person: Person) -> Credentials:
    return Credentials(user_id=person.uuid)


def kinds(outcomes: list[Any]) -> list[str]:
    return sorted(type(outcome).__name__ for outcome in outcomes)


def pending(world: ProjectWorld) -> int:
    owner = world.owner.uuid
    return Holding.objects.get(
        holder=f"user:{owner}", source=f"project:{owner}", resource=PENDING_APP
    ).usage_max


def test_two_administrators_approve_the_same_application(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    outcomes = in_threads([lambda: applications.approve(ADMINISTRATOR, application_id=application)] * 2)
    assert kinds(outcomes) == ["Conflict", "NoneType"]
    assert world.state(uuid) == ProjectState.ACTIVE
    assert pending(world) == 0


def test_approval_and_cancellation_at_once(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    outcomes = in_threads([
        lambda: applications.approve(ADMINISTRATOR, application_id=application),
        lambda: applications.cancel(acting(world.owner), application_id=application),
    ])  # fmt: skip
    assert kinds(outcomes) == ["Conflict", "NoneType"]
    state = ProjectApplication.objects.get(pk=application).get_state_display()
    assert (state, world.state(uuid)) in (
        ("approved", ProjectState.ACTIVE), ("cancelled", ProjectState.DELETED),
    )  # fmt: skip
    assert pending(world) == 0


def test_two_projects_of_one_name_approved_at_once(world: ProjectWorld) -> None:
    first, second = world.apply()[1], world.apply()[1]
    outcomes = in_threads([
        lambda: applications.approve(ADMINISTRATOR, application_id=first),
        lambda: applications.approve(ADMINISTRATOR, application_id=second),
    ])  # fmt: skip
    assert kinds(outcomes) == ["Conflict", "NoneType"]
    assert Project.objects.filter(name="genome.lab.example").count() == 1
    assert pending(world) == 1


def test_the_last_seat_goes_to_one_of_two(world: ProjectWorld) -> None:
    uuid = world.project(max_members=1)
    ids = [world.join(uuid, person).json()["id"] for person in (world.member, world.stranger)]
    accept = [
        lambda number=number: memberships.act(acting(world.owner), membership_id=number, action="accept")
        for number in ids
    ]
    outcomes = in_threads(accept)
    assert kinds(outcomes) == ["Conflict", "NoneType"]
    seats = ProjectMembership.objects.filter(project__uuid=uuid, state__in=ACCEPTED_STATES)
    assert seats.count() == 1


def test_of_two_who_join_at_once_one_gets_the_last_seat(world: ProjectWorld) -> None:
    uuid = world.project(join_policy="auto", max_members=1)
    people = (world.member, world.stranger)
    in_threads([lambda who=who: memberships.join(acting(who), project=uuid) for who in people])
    found = ProjectMembership.objects.filter(project__uuid=uuid)
    assert sorted(row.state in ACCEPTED_STATES for row in found) == [False, True]
    waiting = found.exclude(state__in=ACCEPTED_STATES).get()
    with pytest.raises(Conflict, match="has 1 members and may have 1"):
        memberships.act(acting(world.owner), membership_id=waiting.pk, action="accept")


def test_one_person_joins_twice_at_once(world: ProjectWorld) -> None:
    uuid = world.project(join_policy="auto")
    outcomes = in_threads([lambda: memberships.join(acting(world.member), project=uuid)] * 2)
    assert kinds(outcomes) == ["Conflict", "int"]
    assert isinstance(next(outcome for outcome in outcomes if not isinstance(outcome, int)), Conflict)


def test_applications_of_one_person_at_once_keep_to_the_quota(world: ProjectWorld) -> None:
    def apply(number: int) -> object:
        body = {"name": f"n{number}.lab.example", "end_date": "2200-01-01T00:00:00+00:00"}
        return applications.submit_new(acting(world.owner), body=body)

    outcomes = in_threads([lambda number=number: apply(number) for number in range(6)])
    assert kinds(outcomes) == ["Conflict"] * 4 + ["Submitted"] * 2
    assert pending(world) == 2
    assert Project.objects.filter(is_base=False).count() == 2
