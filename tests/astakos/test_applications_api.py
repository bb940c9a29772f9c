"""Applying for projects and answering applications."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.utils import translation

from astakos.logic import applications
from astakos.models import Holding, Project, ProjectApplication, ProjectLog, ProjectState, Resource, User
from synnefo.credentials import Credentials
from synnefo.units import INF
from tests.astakos.project_world import END, PENDING_APP, PROJECTS, ProjectWorld, people, world  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def pending(world: ProjectWorld, who: Any = None) -> int:
    person = (who or world.owner).uuid
    holding = Holding.objects.get(holder=f"user:{person}", source=f"project:{person}", resource=PENDING_APP)
    assert holding.usage_min == holding.usage_max
    return holding.usage_max


# -- submitting ------------------------------------------------------------------------------------------


def test_a_new_application_waits_in_an_uninitialized_project(world: ProjectWorld) -> None:
    grant = {"demo.vm": {"member_capacity": 2, "project_capacity": 10}}
    uuid, application = world.apply(resources=grant, homepage="https://lab.example/genome")
    project = world.show(uuid)
    assert project["state"] == "uninitialized"
    assert project["resources"] == grant
    assert project["max_members"] == INF
    assert (project["join_policy"], project["leave_policy"], project["private"]) == (
        "moderated",
        "auto",
        False,
    )
    last = project["last_application"]
    assert (last["id"], last["state"], last["resources"]) == (application, "pending", grant)
    assert (last["description"], last["comments"], last["start_date"]) == ("", "", None)
    assert last["applicant"] == last["owner"] == world.owner.uuid
    assert pending(world) == 1
    assert Project.objects.get(uuid=uuid).name is None


WRONG = [
    ({"name": None}, "name"),
    ({"name": "no spaces allowed"}, "name"),
    ({"name": "x" * 90 + ".example"}, "name"),
    ({"name": 5}, "name"),
    ({"end_date": None}, "end_date"),
    ({"end_date": "2001-01-01T00:00:00+00:00"}, "end_date"),
    ({"end_date": "2200-01-01T00:00:00"}, "end_date"),
    ({"end_date": "soon"}, "end_date"),
    ({"owner": "nobody"}, "owner"),
    ({"owner": 5}, "owner"),
    ({"homepage": "x" * 256}, "homepage"),
    ({"description": "x" * 4097}, "description"),
    ({"comments": ["x"]}, "comments"),
    ({"comments": "a\0b"}, "cannot be stored"),
    ({"private": "yes"}, "private"),
    ({"join_policy": "open"}, "join_policy"),
    ({"leave_policy": 1}, "leave_policy"),
    ({"max_members": -1}, "max_members"),
    ({"max_members": "many"}, "max_members"),
    ({"max_members": True}, "max_members"),
    ({"resources": []}, "resources"),
    ({"resources": {"demo.none": {"member_capacity": 1, "project_capacity": 1}}}, "demo.none"),
    ({"resources": {"demo.hidden": {"member_capacity": 1, "project_capacity": 1}}}, "demo.hidden"),
    ({"resources": {"demo.vm": {"member_capacity": 2, "project_capacity": 1}}}, "demo.vm"),
    ({"resources": {"demo.vm": {"member_capacity": 2}}}, "demo.vm"),
    ({"resources": {"demo.vm": 5}}, "demo.vm"),
    ({"resources": {"demo.vm": {"member_capacity": 1, "project_capacity": INF + 1}}}, "demo.vm"),
]


@pytest.mark.parametrize(("fields", "named"), WRONG)
def test_wrong_fields_are_named(world: ProjectWorld, fields: dict[str, Any], named: str) -> None:
    body = {"name": "genome.lab.example", "end_date": END, **fields}
    answer = world.owner.api.post(PROJECTS, body)
    assert answer.status_code == 400
    assert named in answer.json()["badRequest"]["message"]
    assert Project.objects.filter(is_base=False).count() == 0
    assert pending(world) == 0


@pytest.mark.parametrize(
    ("text", "number"), [("inf", INF), ("infinite", INF), ("2K", 2048), ("3MiB", 3 << 20), ("7", 7)]
)
def test_member_limits_may_have_suffixes(world: ProjectWorld, text: str, number: int) -> None:
    uuid, _ = world.apply(max_members=text)
    assert world.show(uuid)["max_members"] == number


def test_too_many_pending_applications_are_a_conflict(world: ProjectWorld) -> None:
    world.apply("a.lab.example")
    world.apply("b.lab.example")
    answer = world.owner.api.post(PROJECTS, {"name": "c.lab.example", "end_date": END})
    assert answer.status_code == 409
    assert Project.objects.filter(is_base=False).count() == 2
    assert pending(world) == 2


def test_project_administrators_are_not_limited(world: ProjectWorld) -> None:
    for number in range(4):
        world.apply(f"n{number}.lab.example", by=world.admin)
    assert pending(world, world.admin) == 4


def test_a_newer_application_replaces_the_pending_one_at_no_cost(world: ProjectWorld) -> None:
    uuid = world.project()
    first = world.owner.api.call("PUT", f"{PROJECTS}/{uuid}", {"description": "one"}).json()["application"]
    second = world.owner.api.call("PUT", f"{PROJECTS}/{uuid}", {"description": "two"}).json()["application"]
    assert pending(world) == 1
    assert world.answer("approve", uuid, first).status_code == 409
    assert world.answer("approve", uuid, second).status_code == 200
    assert pending(world) == 0
    assert world.show(uuid)["description"] == "two"


def test_without_the_resource_pending_applications_are_unlimited(world: ProjectWorld) -> None:
    Resource.objects.filter(name=PENDING_APP).delete()
    for number in range(4):
        world.apply(f"n{number}.lab.example")


@pytest.mark.parametrize(
    ("person", "status"), [("owner", 201), ("admin", 201), ("stranger", 403), ("member", 403)]
)
def test_who_applies_for_changes(world: ProjectWorld, person: str, status: int) -> None:
    uuid = world.project()
    assert world.enroll(uuid).status_code == 200
    answer = getattr(world, person).api.call("PUT", f"{PROJECTS}/{uuid}", {"description": "new"})
    assert answer.status_code == status


def test_order_of_refusals_of_a_change(world: ProjectWorld) -> None:
    uuid, _ = world.apply()
    unknown = f"{PROJECTS}/00000000-0000-4000-8000-000000000000"
    put = world.stranger.api.call
    assert put("PUT", unknown, {"join_policy": "x"}).status_code == 400
    assert put("PUT", unknown, {"name": "not a name"}).status_code == 404
    assert put("PUT", f"{PROJECTS}/{uuid}", {"name": "not a name"}).status_code == 403
    assert world.owner.api.call("PUT", f"{PROJECTS}/{uuid}", {"name": "not a name"}).status_code == 409
    approved = world.project("other.lab.example")
    assert world.owner.api.call("PUT", f"{PROJECTS}/{approved}", {"name": "not a name"}).status_code == 400


def test_fixed_fields_of_a_system_project(world: ProjectWorld) -> None:
    url = f"{PROJECTS}/{world.owner.uuid}"
    assert world.owner.api.call("PUT", url, {"end_date": END}).status_code == 403
    assert world.admin.api.call("PUT", url, {"name": "x.example"}).status_code == 409
    assert pending(world, world.admin) == 0
    grant = {"demo.vm": {"member_capacity": 40, "project_capacity": 40}}
    answer = world.admin.api.call("PUT", url, {"resources": grant})
    assert answer.status_code == 201
    assert world.answer("approve", world.owner.uuid, answer.json()["application"]).status_code == 200
    assert world.limit(world.owner.uuid, world.owner) == 40


# -- answering -------------------------------------------------------------------------------------------


def test_approval_activates_with_defaults_for_what_was_not_mentioned(world: ProjectWorld) -> None:
    grant = {"demo.ram": {"member_capacity": 20, "project_capacity": 100}}
    uuid, application = world.apply(resources=grant)
    assert world.answer("approve", uuid, application).status_code == 200
    project = world.show(uuid)
    assert (project["state"], project["last_application"]["state"]) == ("active", "approved")
    assert project["resources"]["demo.vm"] == {"member_capacity": 7, "project_capacity": 7}
    assert project["resources"]["demo.ram"] == grant["demo.ram"]
    assert Project.objects.get(uuid=uuid).name == "genome.lab.example"
    assert pending(world) == 0
    assert [row.to_state for row in ProjectLog.objects.filter(project__uuid=uuid)] == [0, 1]


def test_kamaki_sends_the_number_as_text_and_the_reason_in_the_plural(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    details = {"reasons": "no room", "app_id": str(application)}
    answer = world.admin.api.post(f"{PROJECTS}/{uuid}/action", {"deny": details})
    assert answer.status_code == 200
    assert ProjectApplication.objects.get(pk=application).response == "no room"


#: Action -> the application's state -> status for the administrator.
ANSWERS = {
    "approve": {"pending": 200, "approved": 409, "denied": 409, "cancelled": 409, "dismissed": 409},
    "deny": {"pending": 200, "approved": 409, "denied": 409, "cancelled": 409, "dismissed": 409},
    "cancel": {"pending": 200, "approved": 409, "denied": 409, "cancelled": 409, "dismissed": 409},
    "dismiss": {"pending": 409, "approved": 409, "denied": 200, "cancelled": 409, "dismissed": 409},
}
_WAY = {"pending": (), "approved": ("approve",), "denied": ("deny",), "cancelled": ("cancel",),
        "dismissed": ("deny", "dismiss")}  # fmt: skip


@pytest.mark.parametrize("action", ANSWERS)
@pytest.mark.parametrize("state", _WAY)
def test_every_answer_in_every_state(world: ProjectWorld, action: str, state: str) -> None:
    uuid, application = world.apply()
    for step in _WAY[state]:
        assert world.answer(step, uuid, application).status_code == 200
    before = ProjectApplication.objects.get(pk=application).state
    assert world.answer(action, uuid, application).status_code == ANSWERS[action][state]
    if ANSWERS[action][state] != 200:
        assert ProjectApplication.objects.get(pk=application).state == before
    assert pending(world) == int(state == "pending" and ANSWERS[action][state] != 200)


@pytest.mark.parametrize(
    ("action", "applicant", "stranger"),
    [("approve", 403, 403), ("deny", 403, 403), ("cancel", 200, 403), ("dismiss", 200, 403)],
)
def test_who_answers(world: ProjectWorld, action: str, applicant: int, stranger: int) -> None:
    uuid, application = world.apply()
    if action == "dismiss":
        world.answer("deny", uuid, application)
    assert world.answer(action, uuid, application, by=world.stranger).status_code == stranger
    assert world.answer(action, uuid, application, by=world.owner).status_code == applicant


@pytest.mark.parametrize("action", ["cancel", "dismiss"])
def test_a_project_that_was_never_approved_is_deleted_with_its_application(
    world: ProjectWorld, action: str
) -> None:
    uuid, application = world.apply()
    if action == "dismiss":
        world.answer("deny", uuid, application)
        assert world.state(uuid) == ProjectState.UNINITIALIZED
    assert world.answer(action, uuid, application).status_code == 200
    assert world.state(uuid) == ProjectState.DELETED


@pytest.mark.parametrize("app_id", [None, "x", True, 1.5, [], {}, "9" * 40, ""])
def test_a_wrong_application_number_is_a_bad_request(world: ProjectWorld, app_id: object) -> None:
    uuid, _ = world.apply()
    assert world.answer("approve", uuid, app_id).status_code == 400


def test_unknown_applications(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    other, _ = world.apply("other.lab.example")
    assert world.answer("approve", uuid, application + 1000).status_code == 404
    assert world.answer("approve", other, application).status_code == 409
    assert world.answer("approve", "0" * 36, application).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"x": {}}, {"suspend": {}, "terminate": {}}, {"approve": "x"}, {"suspend": []}]
)
def test_wrong_bodies_of_actions(world: ProjectWorld, body: object) -> None:
    uuid = world.project()
    assert world.admin.api.post(f"{PROJECTS}/{uuid}/action", body).status_code == 400


# -- names -----------------------------------------------------------------------------------------------


def test_a_name_belongs_to_one_living_project(world: ProjectWorld) -> None:
    first, first_application = world.apply()
    second, second_application = world.apply()
    assert world.answer("approve", first, first_application).status_code == 200
    assert world.answer("approve", second, second_application).status_code == 409
    assert world.act("terminate", first).status_code == 200
    assert world.answer("approve", second, second_application).status_code == 200
    assert world.act("reinstate", first).status_code == 409
    assert world.act("terminate", second).status_code == 200
    assert world.act("reinstate", first).status_code == 200


def test_an_approved_change_revives_a_terminated_project(world: ProjectWorld) -> None:
    uuid = world.project()
    world.act("terminate", uuid)
    answer = world.owner.api.call("PUT", f"{PROJECTS}/{uuid}", {"end_date": END})
    assert world.answer("approve", uuid, answer.json()["application"]).status_code == 200
    assert world.show(uuid)["state"] == "active"


# -- states ----------------------------------------------------------------------------------------------

#: Action -> the project's state -> status for the administrator.
STATES = {
    "suspend": {"uninitialized": 409, "active": 200, "suspended": 409, "terminated": 409, "deleted": 409},
    "unsuspend": {"uninitialized": 409, "active": 409, "suspended": 200, "terminated": 409, "deleted": 409},
    "terminate": {"uninitialized": 409, "active": 200, "suspended": 200, "terminated": 409, "deleted": 409},
    "reinstate": {"uninitialized": 409, "active": 409, "suspended": 409, "terminated": 200, "deleted": 409},
}


@pytest.mark.parametrize("action", STATES)
@pytest.mark.parametrize("state", STATES["suspend"])
def test_every_action_in_every_state(world: ProjectWorld, action: str, state: str) -> None:
    uuid, application = world.apply()
    if state == "deleted":
        world.answer("cancel", uuid, application)
    elif state != "uninitialized":
        world.answer("approve", uuid, application)
        if state != "active":
            world.act(
                state.removesuffix("d").removesuffix("e") + ("e" if state == "terminated" else ""), uuid
            )
    assert world.show(uuid, world.admin)["state"] == state
    assert world.act(action, uuid, by=world.owner).status_code == 403
    assert world.act(action, uuid).status_code == STATES[action][state]


def test_state_changes_reach_quota_and_the_owner(world: ProjectWorld) -> None:
    uuid = world.project(resources={"demo.vm": {"member_capacity": 2, "project_capacity": 10}})
    world.enroll(uuid)
    assert world.limit(uuid, world.member) == 2
    mail.outbox.clear()
    with pytest.MonkeyPatch.context():
        assert world.act("suspend", uuid).status_code == 200
    assert world.limit(uuid, world.member) == 0
    assert world.act("unsuspend", uuid).status_code == 200
    assert world.limit(uuid, world.member) == 2
    assert "deactivation_date" in world.show(uuid)


def test_termination_sends_members_back_to_their_own_project(world: ProjectWorld) -> None:
    uuid = world.project()
    world.enroll(uuid)
    body = {"project_id": uuid}
    assert world.member.api.post("account/v1.0/myaccount/default_project", body).status_code == 200
    assert world.act("terminate", uuid).status_code == 200
    assert world.member.row.default_project == world.member.uuid
    assert Project.objects.get(uuid=uuid).name is None


def test_a_system_project_is_not_terminated(world: ProjectWorld) -> None:
    assert world.act("terminate", world.owner.uuid).status_code == 409


def test_mails(world: ProjectWorld, settings: Any, django_capture_on_commit_callbacks: Any) -> None:
    settings.HELPDESK = [("Help", "help@lab.example")]
    with django_capture_on_commit_callbacks(execute=True):
        uuid, application = world.apply()
        world.answer("deny", uuid, application)
        settings.ASTAKOS_PROJECT_SUSPENSION_SUBJECT_MESSAGE = "Halt!"
        other = world.project("other.lab.example")
        world.act("suspend", other)
    sent = [(message.to, message.subject) for message in mail.outbox]
    assert (["help@lab.example"], "[Synnefo] Application for a new project (genome.lab.example)") in sent
    assert (["olga@lab.example"], "The application for the project genome.lab.example was denied") in sent
    assert (["olga@lab.example"], "The application for the project other.lab.example was approved") in sent
    assert (["olga@lab.example"], "Halt!") in sent
    assert "because" in mail.outbox[1].body


@pytest.mark.parametrize(
    ("chosen", "subject"),
    [
        ("el", "Η αίτηση για το έργο genome.lab.example εγκρίθηκε"),
        ("en", "The application for the project genome.lab.example was approved"),
        ("", "The application for the project genome.lab.example was approved"),
    ],
)
def test_people_are_written_to_in_their_language_and_staff_in_the_sites(
    world: ProjectWorld,
    settings: Any,
    django_capture_on_commit_callbacks: Any,
    chosen: str,
    subject: str,
) -> None:
    settings.PROJECT_NOTIFICATIONS_RECIPIENTS = [("Staff", "staff@lab.example")]
    User.objects.filter(uuid=world.owner.uuid).update(preferences={"language": chosen} if chosen else {})
    uuid, application = world.apply()
    acting = translation.override("en" if chosen == "el" else "el")
    with acting, django_capture_on_commit_callbacks(execute=True):
        applications.approve(Credentials.administrator(), application_id=application, project=uuid)
    subjects = {message.to[0]: message.subject for message in mail.outbox}
    assert subjects["olga@lab.example"] == subject
    english = "[Synnefo] The application for the project genome.lab.example was approved"
    assert subjects["staff@lab.example"] == english


def test_the_list_of_many_projects_has_a_fixed_number_of_queries(
    world: ProjectWorld, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        world.apply(f"n{number}.lab.example", by=world.admin)
    with django_assert_max_num_queries(5):
        assert len(world.admin.api.get(PROJECTS).json()) == 16
