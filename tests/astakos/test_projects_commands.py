"""Commands about projects and about the quota of applications."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from astakos.models import Holding, Policy, Project, ProjectState
from synnefo import clock
from synnefo.management.base import EXIT_PARTIAL
from synnefo.units import INF
from tests.astakos.project_world import PENDING_APP, ProjectWorld, people, world  # noqa: F401  (fixtures)
from tests.astakos.test_users_commands import load, refused, run

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def listed(*words: object) -> list[str]:
    return [row["name"] for row in load("project-list", *words)]


def talk(*words: object) -> str:
    """Return what a command says on standard error."""
    errors = io.StringIO()
    call_command(*map(str, words), stdout=io.StringIO(), stderr=errors)
    return errors.getvalue()


# -- project-list --------------------------------------------------------------------------------------


def test_list_shows_the_pending_application_last(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    (row,) = load("project-list")
    assert list(row.items()) == [
        ("id", uuid), ("name", "genome.lab.example"), ("owner", world.owner.uuid), ("status", "Pending"),
        ("pending_app", application),
    ]  # fmt: skip


def test_list_hides_what_ended_and_system_projects(world: ProjectWorld) -> None:
    ended, living = world.project("ended.lab.example"), world.project("living.lab.example")
    world.act("terminate", ended)
    cancelled, application = world.apply("cancelled.lab.example")
    world.answer("cancel", cancelled, application, world.owner)
    assert listed() == ["living.lab.example"]
    assert listed("--deleted") == ["ended.lab.example", "living.lab.example", "cancelled.lab.example"]
    assert f"system:{world.owner.uuid}" in listed("--system-projects")
    statuses = {row["name"]: row["status"] for row in load("project-list", "--all")}
    assert statuses["cancelled.lab.example"] == "Cancelled"
    assert statuses["ended.lab.example"] == "Terminated"
    assert Project.objects.get(uuid=living).state == ProjectState.ACTIVE


def test_list_by_what_awaits_review(world: ProjectWorld) -> None:
    world.apply("new.lab.example")
    changed = world.project("changed.lab.example")
    world.owner.api.call("PUT", f"account/v1.0/projects/{changed}", {"description": "x"})
    world.project("quiet.lab.example", by=world.admin)
    assert listed("--new") == ["new.lab.example"]
    assert listed("--modified") == ["changed.lab.example"]
    assert sorted(listed("--pending")) == ["changed.lab.example", "new.lab.example"]


def test_list_filters_by_name_and_owner(world: ProjectWorld) -> None:
    world.project("a.lab.example")
    world.project("b.lab.example", by=world.member)
    assert listed("--filter-by", "name=a.lab.example") == ["a.lab.example"]
    assert listed("--filter-by", "name__startswith=b") == ["b.lab.example"]
    assert listed("--filter-by", f"owner={world.member.uuid}") == ["b.lab.example"]
    assert listed("--filter-by", "owner!=mary@lab.example") == ["a.lab.example"]
    assert listed("--owner", "mary@lab.example") == ["b.lab.example"]
    assert listed("--name", "a.lab.example") == ["a.lab.example"]
    assert load("project-list", "--displayname")[0]["owner.email"] == "olga@lab.example"


def test_list_takes_one_query(world: ProjectWorld, django_assert_num_queries: Any) -> None:
    for number in range(5):
        world.apply(f"n{number}.lab.example", by=world.admin)
    with django_assert_num_queries(1):
        run("project-list")


# -- project-show --------------------------------------------------------------------------------------


def test_show_with_everything(world: ProjectWorld) -> None:
    uuid = world.project(max_members=5, resources={"demo.vm": {"project_capacity": 9, "member_capacity": 3}})
    world.enroll(uuid)
    answer = world.owner.api.call("PUT", f"account/v1.0/projects/{uuid}", {"max_members": 20})
    shown = load("project-show", uuid, "--members", "--quota", "--pending-app")
    assert (shown["project id"], shown["status"], shown["max members"], shown["total members"]) == (
        uuid, "Active", 5, 1,
    )  # fmt: skip
    assert shown["pending_app"] == answer.json()["application"]
    vm = next(row for row in shown["Resource limits"] if row["name"] == "demo.vm")
    assert vm == {"name": "demo.vm", "max per member": 3, "max per project": 9, "usage": 0}
    assert shown["Members"] == [
        {"uuid": world.member.uuid, "email": "mary@lab.example", "status": "accepted"}
    ]
    pending = {row["field"]: row["value"] for row in shown["Pending Application"]}
    assert (pending["status"], pending["max members"]) == ("pending", 20)
    assert "name" not in pending


def test_user_show_names_what_awaits_review(world: ProjectWorld) -> None:
    _, application = world.apply("waiting.lab.example")
    (row,) = load("user-show", world.owner.uuid, "--projects")["Owned Projects"]
    assert (row["project name"], row["status"], row["pending app id"]) == (
        "waiting.lab.example", "Pending", application,
    )  # fmt: skip


def test_show_of_an_unknown_project(world: ProjectWorld) -> None:
    assert "Use project-list" in refused("project-show", "0" * 36)
    assert load("project-show", Project.objects.get(uuid=world.owner.uuid).pk)["owner"] is None


# -- project-control -----------------------------------------------------------------------------------


def test_control_answers_applications(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    run("project-control", "--approve", application)
    assert world.state(uuid) == ProjectState.ACTIVE
    assert "approved" in refused("project-control", "--deny", application)
    other, second = world.apply("other.lab.example")
    run("project-control", "--deny", second, "-m", "too large")
    denied = Project.objects.get(uuid=other).last_application
    assert denied is not None
    assert (denied.response, denied.response_actor) == ("too large", None)


def test_control_changes_states(world: ProjectWorld) -> None:
    uuid = world.project()
    for action, state in (
        ("suspend", ProjectState.SUSPENDED), ("unsuspend", ProjectState.ACTIVE),
        ("terminate", ProjectState.TERMINATED), ("reinstate", ProjectState.ACTIVE),
    ):  # fmt: skip
        run("project-control", f"--{action}", uuid)
        assert world.state(uuid) == state
    assert "active" in refused("project-control", "--unsuspend", uuid)


def test_control_does_one_thing(world: ProjectWorld) -> None:
    assert refused("project-control") == "Specify exactly one operation."
    assert refused("project-control", "--check-expired", "--suspend", "x") == "Specify exactly one operation."


def test_expired_projects(world: ProjectWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No expired projects." in talk("project-control", "--check-expired")
    uuid = world.project()
    Project.objects.filter(uuid=uuid).update(end_date=clock.now() - dt.timedelta(days=1))
    assert uuid in run("project-control", "--check-expired")
    assert world.state(uuid) == ProjectState.ACTIVE
    run("project-control", "--terminate-expired")
    assert world.state(uuid) == ProjectState.TERMINATED


def test_one_expired_project_that_cannot_end_does_not_keep_the_others(
    world: ProjectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from astakos.logic import project_actions
    from synnefo.errors import Conflict

    first, second = world.project("a.lab.example"), world.project("b.lab.example")
    Project.objects.filter(is_base=False).update(end_date=clock.now() - dt.timedelta(days=1))
    terminate = project_actions.terminate

    def failing(credentials: Any, *, project: str, reason: str) -> None:
        if project == first:
            raise Conflict("stuck")
        terminate(credentials, project=project, reason=reason)

    monkeypatch.setattr(project_actions, "terminate", failing)
    with pytest.raises(CommandError) as caught:
        run("project-control", "--terminate-expired")
    assert caught.value.returncode == EXIT_PARTIAL
    assert (world.state(first), world.state(second)) == (ProjectState.ACTIVE, ProjectState.TERMINATED)


# -- project-modify ------------------------------------------------------------------------------------


def test_modify_changes_fields_and_limits_at_once(world: ProjectWorld) -> None:
    uuid = world.project()
    world.enroll(uuid)
    run(
        "project-modify", uuid, "--name", "new.lab.example", "--owner", "mary@lab.example",
        "--join-policy", "closed", "--max-members", "inf", "--private", "yes", "--end-date", "2190-05-06",
        "--limit", "demo.vm", 2, 30, "--limit", "demo.ram", "1K", "1M",
    )  # fmt: skip
    project = Project.objects.get(uuid=uuid)
    assert (project.name, project.realname, project.private) == ("new.lab.example",) * 2 + (True,)
    assert project.owner is not None and project.owner.uuid == world.member.uuid
    assert (project.member_join_policy, project.limit_on_members_number) == (Policy.CLOSED, INF)
    assert project.end_date == dt.datetime(2190, 5, 6, tzinfo=dt.UTC)
    assert world.limit(uuid, world.member) == 2
    assert world.limit(uuid, world.member, "demo.ram") == 1024
    assert Holding.objects.get(holder=f"project:{uuid}", resource="demo.ram").limit == 1 << 20


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--name", "taken.lab.example"), "already a project"),
        (("--name", "no domain"), "domain name"),
        (("--limit", "demo.vm", 5, 3), "may not exceed"),
        (("--limit", "demo.none", 1, 1), "does not exist"),
        (("--limit", "demo.vm", "1K", "1K"), "unit"),
        (("--end-date", "soon"), "ISO 8601"),
        (("--exclude", "x", "--private", "no"), "--all-system-projects"),
        ((), "Nothing to change"),
    ],
)
def test_modify_refuses(world: ProjectWorld, words: tuple[object, ...], text: str) -> None:
    world.project("taken.lab.example")
    assert text in refused("project-modify", world.project(), *words)


def test_modify_of_a_system_project_is_about_limits_and_policies(world: ProjectWorld) -> None:
    assert "system project" in refused("project-modify", world.owner.uuid, "--description", "x")
    run("project-modify", world.owner.uuid, "--limit", "demo.vm", 11, 12)
    assert world.limit(world.owner.uuid, world.owner) == 11


def test_modify_all_system_projects_but_some(world: ProjectWorld) -> None:
    project = world.project()
    run(
        "project-modify", "--all-system-projects", "--exclude", f"{world.member.uuid},{world.admin.uuid}",
        "--limit", "demo.vm", 33, 44, "--end-date", "2190-01-01T00:00:00+00:00",
    )  # fmt: skip
    limits = [world.limit(who.uuid, who) for who in (world.owner, world.stranger, world.member, world.admin)]
    assert limits == [33, 33, 4, 4]
    assert Project.objects.get(uuid=world.owner.uuid).end_date.year == 2190
    assert Project.objects.get(uuid=project).end_date.year == 2200


def test_bulk_changes_have_their_limits(world: ProjectWorld) -> None:
    assert "all system projects" in refused("project-modify", "--all-system-projects", "--homepage", "x")
    assert "no system projects" in refused(
        "project-modify", "--all-system-projects", "--exclude", "x", "--private", "True"
    )
    assert "either a project" in refused("project-modify", "--private", "True")


# -- quota ---------------------------------------------------------------------------------------------


def usage(world: ProjectWorld) -> list[int]:
    rows = Holding.objects.filter(resource=PENDING_APP, holder__endswith=world.owner.uuid)
    return list(rows.values_list("usage_max", flat=True))


def test_reconcile_recounts_pending_applications(world: ProjectWorld) -> None:
    world.apply()
    assert "Everything in sync." in talk("reconcile-resources-astakos")
    Holding.objects.filter(resource=PENDING_APP, holder__endswith=world.owner.uuid).update(
        usage_min=0, usage_max=0
    )
    rows = load("reconcile-resources-astakos")
    assert sorted((row["Type"], row["Astakos"], row["Quotaholder"]) for row in rows) == [
        ("project", 1, 0), ("user", 1, 0),
    ]  # fmt: skip
    assert load("reconcile-resources-astakos", "--user", "sam@lab.example") == []
    assert len(load("reconcile-resources-astakos", "--project", world.owner.uuid)) == 2
    assert usage(world) == [0, 0]
    assert "Fixed" in talk("reconcile-resources-astakos", "--fix")
    assert usage(world) == [1, 1]


def test_reconcile_stops_at_limits_unless_forced(world: ProjectWorld) -> None:
    world.apply()
    Holding.objects.filter(resource=PENDING_APP).update(usage_min=0, usage_max=0, limit=0)
    assert "Use --force" in refused("reconcile-resources-astakos", "--fix")
    assert usage(world) == [0, 0]
    run("reconcile-resources-astakos", "--fix", "--force")
    assert usage(world) == [1, 1]


def test_reconcile_leaves_holders_with_a_pending_commission_alone(world: ProjectWorld) -> None:
    Holding.objects.filter(resource=PENDING_APP, holder=f"user:{world.owner.uuid}").update(usage_max=1)
    assert "Pending commission for user:" in talk("reconcile-resources-astakos", "--fix")
    assert usage(world).count(1) == 1


def test_verify_repairs_limits_of_members(world: ProjectWorld) -> None:
    uuid = world.project(resources={"demo.vm": {"project_capacity": 9, "member_capacity": 3}})
    world.enroll(uuid)
    assert "Everything in sync." in talk("quota-verify")
    Holding.objects.filter(source=f"project:{uuid}", resource="demo.vm").update(limit=77)
    found = json.loads(run("quota-verify", "--fix", "--output-format", "json"))
    assert [(row["Astakos"], row["Quotaholder"]) for row in found["Inconsistencies"]] == [(3, 77)]
    assert world.limit(uuid, world.member) == 3
