"""Joining and leaving projects."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

from typing import Any

import pytest
from django.core import mail

from astakos.logic import accounts, system_limits
from astakos.models import MembershipState, ProjectMembership, ProjectMembershipLog, QueuedMail
from synnefo.credentials import Credentials
from tests.astakos.conftest import MakeUser
from tests.astakos.project_world import MEMBERSHIPS, ProjectWorld, people, world  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.db, pytest.mark.django_db]
VM = {"demo.vm": {"member_capacity": 2, "project_capacity": 10}}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def set_state(membership: int, state: MembershipState) -> None:
    ProjectMembership.objects.filter(pk=membership).update(state=state, initialized=True)


def state_of(membership: int) -> str:
    return MembershipState(ProjectMembership.objects.get(pk=membership).state).label


def test_moderated_joining_waits_and_open_joining_does_not(world: ProjectWorld) -> None:
    moderated = world.project("a.lab.example", resources=VM)
    answer = world.join(moderated)
    assert answer.status_code == 200
    assert state_of(answer.json()["id"]) == "requested"
    assert world.limit(moderated, world.member) is None
    open_one = world.project("b.lab.example", join_policy="auto", resources=VM)
    assert state_of(world.join(open_one).json()["id"]) == "accepted"
    assert world.limit(open_one, world.member) == 2


def test_an_open_project_that_is_full_takes_the_request(world: ProjectWorld) -> None:
    uuid = world.project(join_policy="auto", max_members=1)
    world.join(uuid, world.stranger)
    assert state_of(world.join(uuid).json()["id"]) == "requested"


def test_refusals_of_joining(world: ProjectWorld) -> None:
    assert world.join(UNKNOWN).status_code == 404
    closed = world.project("a.lab.example", join_policy="closed")
    assert world.join(closed).status_code == 409
    uuid = world.project("b.lab.example")
    assert world.join(uuid).status_code == 200
    assert world.join(uuid).status_code == 409
    world.act("terminate", uuid)
    assert world.join(uuid, world.stranger).status_code == 409


def test_a_private_project_can_be_joined(world: ProjectWorld) -> None:
    assert world.join(world.project(private=True)).status_code == 200


def test_enrolling(world: ProjectWorld) -> None:
    uuid = world.project(resources=VM, max_members=1)
    assert world.enroll(uuid, by=world.stranger).status_code == 403
    membership = world.enroll(uuid).json()["id"]
    assert state_of(membership) == "accepted"
    assert world.limit(uuid, world.member) == 2
    assert world.enroll(uuid).status_code == 409
    assert world.enroll(uuid, world.stranger).status_code == 409
    shown = world.owner.api.get(f"{MEMBERSHIPS}/{membership}").json()
    assert "accepted" in shown and "requested" not in shown
    nobody = {"enroll": {"project": uuid, "user": "no@lab.example"}}
    assert world.owner.api.post(MEMBERSHIPS, nobody).status_code == 409
    assert (
        world.owner.api.post(
            MEMBERSHIPS, {"enroll": {"project": UNKNOWN, "user": world.member.row.email}}
        ).status_code
        == 409
    )


def test_a_request_is_enrolled(world: ProjectWorld) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    assert world.enroll(uuid).json()["id"] == membership
    assert state_of(membership) == "accepted"


#: Action -> membership state -> status for a project administrator (409: the state does not allow it).
OK = {
    "accept": {"requested"},
    "reject": {"requested"},
    "cancel": {"requested"},
    "leave": {"accepted", "leave_requested", "suspended"},
    "remove": {"accepted", "leave_requested", "suspended"},
}


@pytest.mark.parametrize("action", OK)
@pytest.mark.parametrize("state", list(MembershipState), ids=lambda state: state.label)
def test_every_action_in_every_state(world: ProjectWorld, action: str, state: MembershipState) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    set_state(membership, state)
    offered = world.admin.api.get(f"{MEMBERSHIPS}/{membership}").json()["allowed_actions"]
    answer = world.on_membership(action, membership, world.admin)
    assert answer.status_code == (200 if state.label in OK[action] else 409)
    assert (action in offered) == (answer.status_code == 200)


#: Action -> who may take it besides a project administrator.
WHO = {"accept": "owner", "reject": "owner", "remove": "owner", "cancel": "member", "leave": "member"}


@pytest.mark.parametrize("action", OK)
@pytest.mark.parametrize("person", ["owner", "member", "stranger"])
def test_every_action_by_everybody(world: ProjectWorld, action: str, person: str) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    if action in ("leave", "remove"):
        set_state(membership, MembershipState.ACCEPTED)
    by = getattr(world, person)
    assert world.on_membership(action, membership, by).status_code == (200 if WHO[action] == person else 403)


def test_order_of_refusals(world: ProjectWorld) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    assert world.on_membership("leave", 10**15, world.stranger).status_code == 404
    assert world.on_membership("leave", int("9" * 25), world.stranger).status_code == 404
    assert world.on_membership("leave", membership, world.stranger).status_code == 409
    assert world.on_membership("cancel", membership, world.stranger).status_code == 403
    world.act("terminate", uuid)
    assert world.on_membership("cancel", membership, world.member).status_code == 409


def test_a_suspended_user_is_not_accepted(world: ProjectWorld) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    accounts.deactivate(Credentials.administrator(), user_id=world.member.row.pk)
    answer = world.on_membership("accept", membership, world.owner)
    assert answer.status_code == 409
    assert "not active" in answer.json()["conflict"]["message"]


def test_leaving_by_policy(world: ProjectWorld) -> None:
    free = world.project("a.lab.example", leave_policy="auto", resources=VM)
    membership = world.enroll(free).json()["id"]
    world.member.api.post("account/v1.0/myaccount/default_project", {"project_id": free})
    assert world.on_membership("leave", membership, world.member).status_code == 200
    assert state_of(membership) == "removed"
    assert world.member.row.default_project == world.member.uuid
    moderated = world.project("b.lab.example", leave_policy="moderated", resources=VM)
    membership = world.enroll(moderated).json()["id"]
    assert world.on_membership("leave", membership, world.member).status_code == 200
    assert state_of(membership) == "leave_requested"
    assert world.limit(moderated, world.member) == 2
    assert world.on_membership("remove", membership, world.owner).status_code == 200
    closed = world.project("c.lab.example", leave_policy="closed")
    membership = world.enroll(closed).json()["id"]
    assert world.on_membership("leave", membership, world.member).status_code == 409
    assert world.on_membership("remove", membership, world.owner).status_code == 409


def test_returning_uses_the_same_membership_and_remembers_the_first_dates(world: ProjectWorld) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    world.on_membership("accept", membership, world.owner)
    first = world.member.api.get(f"{MEMBERSHIPS}/{membership}").json()
    world.on_membership("leave", membership, world.member)
    assert world.join(uuid).json()["id"] == membership
    again = world.member.api.get(f"{MEMBERSHIPS}/{membership}").json()
    assert again["requested"] == first["requested"]
    assert {"requested", "accepted", "removed"} <= again.keys()
    assert ProjectMembershipLog.objects.filter(membership=membership).count() == 4


def test_who_sees_memberships(world: ProjectWorld) -> None:
    uuid = world.project()
    membership = world.enroll(uuid).json()["id"]

    def listed(person: Any, query: str = "") -> set[int]:
        return {row["id"] for row in person.api.get(f"{MEMBERSHIPS}{query}").json()}

    system = world.membership(world.member.uuid, world.member)
    assert listed(world.member) == {membership, system}
    assert membership in listed(world.owner)
    assert membership not in listed(world.stranger)
    assert listed(world.admin) == set(ProjectMembership.objects.values_list("pk", flat=True))
    assert listed(world.owner, f"?project={uuid}") == {membership}
    assert world.stranger.api.get(f"{MEMBERSHIPS}/{membership}").status_code == 403
    assert world.stranger.api.get(f"{MEMBERSHIPS}/987654321").status_code == 404


def test_a_system_project_offers_no_actions(world: ProjectWorld) -> None:
    own = world.membership(world.member.uuid, world.member)
    assert world.member.api.get(f"{MEMBERSHIPS}/{own}").json()["allowed_actions"] == []


@pytest.mark.parametrize(
    "body",
    [{}, {"join": {}}, {"join": "x"}, {"join": {"project": 5}}, {"enroll": {"project": UNKNOWN}},
     {"join": {"project": UNKNOWN}, "enroll": {}}, {"join": {"project": "a\0"}}],
)  # fmt: skip
def test_wrong_bodies(world: ProjectWorld, body: object) -> None:
    assert world.member.api.post(MEMBERSHIPS, body).status_code == 400


def test_members_are_told(world: ProjectWorld, django_capture_on_commit_callbacks: Any) -> None:
    uuid = world.project()
    QueuedMail.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        membership = world.join(uuid).json()["id"]
        world.on_membership("accept", membership, world.owner)
        world.on_membership("remove", membership, world.owner)
        world.enroll(uuid)
    sent = [(message.to[0].partition("@")[0], message.subject) for message in mail.outbox]
    name = "the project genome.lab.example"
    change = ("mary", f"Your membership in {name} changed")
    assert sent == [
        ("olga", f"Somebody asks to join {name}"), change, change, ("mary", f"You are a member of {name}"),
    ]  # fmt: skip


def test_the_list_has_a_fixed_number_of_queries(
    world: ProjectWorld, make_user: MakeUser, django_assert_max_num_queries: Any
) -> None:
    uuid = world.project()
    for number in range(10):
        world.enroll(uuid, make_user(f"n{number}@lab.example"))
    with django_assert_max_num_queries(4):
        assert len(world.owner.api.get(f"{MEMBERSHIPS}?project={uuid}").json()) == 10


def test_a_sites_own_module_is_told(
    world: ProjectWorld, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    import sys
    import types

    module = types.ModuleType("site_policy")
    module.check_state_projects = lambda projects, action: told.append(action)  # type: ignore[attr-defined]
    module.check_state_membership = lambda membership, action: told.append(action)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "site_policy", module)
    settings.QUOTA_POLICY_MODULE = "site_policy"
    uuid = world.project(join_policy="auto")
    membership = world.join(uuid).json()["id"]
    world.on_membership("leave", membership, world.member)
    world.act("suspend", uuid)
    system_limits.set_base_quota(
        Credentials.administrator(), resource="demo.vm", capacity=3, users=[world.member.uuid]
    )
    assert told == ["MODIFY", "JOIN", "LEAVE", "SUSPEND", "MODIFY"]
