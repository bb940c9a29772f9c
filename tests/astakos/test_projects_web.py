"""Pages of projects: who sees and does what, with plain forms and no scripts."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import mail
from django.test import Client

from astakos.models import (
    ApplicationState,
    MembershipState,
    Policy,
    Project,
    ProjectApplication,
    ProjectMembership,
    ProjectState,
    Resource,
)
from astakos.web import bulk
from tests.astakos.conftest import Person
from tests.astakos.project_world import ProjectWorld, people, world  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
UI = "/astakos/ui/projects"
FORM = {
    "name": "genome.lab.example", "homepage": "", "description": "Sequencing", "comments": "please",
    "start_date": "", "end_date": "2190-12-31", "member_join_policy": "moderated",
    "member_leave_policy": "auto", "limit_on_members_number": "5", "demo.vm_p_uplimit": "10",
    "demo.vm_m_uplimit": "2", "demo.ram_p_uplimit": "20 GiB", "demo.ram_m_uplimit": "1 GiB",
}  # fmt: skip


def browser(person: Person) -> Client:
    client = Client()
    assert client.post(f"/test/sign-in/{person.uuid}").status_code == 200
    return client


def text_of(response: Any) -> str:
    return str(response.content.decode())


# -- lists ---------------------------------------------------------------------------------------------


def test_the_list_has_ones_own_projects_newest_first(world: ProjectWorld) -> None:
    empty = text_of(browser(world.owner).get(UI))
    assert 'data-page="P-01"' in empty and "You belong to no project" in empty
    world.project("first.lab.example")
    world.project("second.lab.example")
    text = text_of(browser(world.owner).get(UI))
    assert text.index("second.lab.example") < text.index("first.lab.example")
    assert f"system:{world.owner.uuid}" not in text
    assert "first.lab.example" not in text_of(browser(world.member).get(UI))


def test_administrators_see_all_and_choose_what_awaits_review(world: ProjectWorld) -> None:
    world.project("settled.lab.example")
    world.apply("waiting.lab.example")
    admin = browser(world.admin)
    assert "settled.lab.example" in text_of(admin.get(UI))
    pending = text_of(admin.get(f"{UI}?pending=1"))
    assert "waiting.lab.example" in pending and "settled.lab.example" not in pending
    assert f"system:{world.owner.uuid}" in text_of(admin.get(f"{UI}?show_base=1"))
    assert "settled.lab.example" in text_of(browser(world.owner).get(f"{UI}?pending=1"))


def test_lists_go_on_by_key_with_a_fixed_number_of_queries(
    world: ProjectWorld, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.ASTAKOS_PAGINATE_BY = 3
    for number in range(7):
        world.apply(f"n{number}.lab.example", by=world.admin)
    admin, seen, query = browser(world.admin), [], ""
    admin.get(UI)
    while True:
        with django_assert_max_num_queries(8):
            text = text_of(admin.get(f"{UI}?{query}"))
        seen += re.findall(r">(n\d)\.lab\.example</a>", text)
        following = re.search(r'rel="next" href="\?([^"]*)"', text)
        if following is None:
            break
        query = following[1]
    assert seen == [f"n{number}" for number in reversed(range(7))]


def test_many_applications_are_answered_at_once(world: ProjectWorld) -> None:
    taken = [world.apply(f"{name}.lab.example", by=world.admin) for name in ("one", "two")]
    settled = world.project("settled.lab.example")
    numbers = [number for _, number in taken]
    admin, path = browser(world.admin), f"{UI}/review"
    listed = text_of(admin.get(UI))
    assert all(f'name="applications" value="{number}"' in listed for number in numbers)
    assert listed.count('name="applications"') == 2
    body: dict[str, Any] = {"applications": numbers, "action": "approve"}
    asked = text_of(admin.post(path, body))
    assert "Approve 2 applications" in asked and "two.lab.example" in asked
    assert world.answer("deny", *taken[0]).status_code == 200
    answer = admin.post(path, body | {"confirmed": "1"})
    assert answer.status_code == 409
    retry = text_of(answer).split('data-testid="outcomes"')[1].split('data-testid="retry-failed"')[0]
    assert f'name="applications" value="{numbers[0]}"' in retry and "two.lab.example" in retry
    assert world.state(taken[1][0]) == ProjectState.ACTIVE == world.state(settled)
    assert admin.post(path, {"action": "deny", "confirmed": "1"}).status_code == 422
    assert browser(world.owner).post(path, body).status_code == 403
    assert b'name="applications"' not in browser(world.owner).get(UI).content


def test_search_finds_public_active_projects_only(world: ProjectWorld) -> None:
    world.project("open.lab.example")
    world.project("hidden.lab.example", private=True)
    stopped = world.project("stopped.lab.example")
    world.act("suspend", stopped)
    text = text_of(browser(world.stranger).get(f"{UI}/search?q=lab"))
    assert "open.lab.example" in text and 'data-page="P-02"' in text
    assert "hidden.lab" not in text and "stopped.lab" not in text
    assert "No project was found" in text_of(browser(world.stranger).get(f"{UI}/search?q=zzz%00"))


def test_how_it_works(world: ProjectWorld) -> None:
    assert 'data-page="P-03"' in text_of(browser(world.stranger).get(f"{UI}/how_it_works"))


@pytest.mark.parametrize("path", ["", "/search", "/how_it_works", "/add"])
def test_visitors_are_sent_to_the_login(client: Client, path: str, db: None) -> None:
    response = client.get(f"{UI}{path}")
    assert response.status_code == 302
    assert "/login?next=" in response["Location"]


# -- applying ------------------------------------------------------------------------------------------


def test_apply_in_two_phases(world: ProjectWorld) -> None:
    page = browser(world.owner)
    assert "demo.vm_p_uplimit" in text_of(page.get(f"{UI}/add"))
    summary = text_of(page.post(f"{UI}/add?verify=1", FORM))
    assert "20 GiB" in summary and not ProjectApplication.objects.exists()
    blob = re.search(r'name="application" value="([^"]+)"', summary)
    assert blob is not None
    again = text_of(page.post(f"{UI}/add?edit=1", {"application": blob[1]}))
    assert 'value="genome.lab.example"' in again and 'value="20 GiB"' in again
    response = page.post(f"{UI}/add", {"application": blob[1]})
    assert (response.status_code, response["Location"]) == (303, UI)
    application = ProjectApplication.objects.get()
    assert (application.name, application.comments, application.limit_on_members_number) == (
        "genome.lab.example", "please", 5,
    )  # fmt: skip
    granted = {row.resource.name: row.project_capacity for row in application.resources.all()}
    assert granted == {"demo.vm": 10, "demo.ram": 20 << 30}


def test_a_summary_of_somebody_else_or_changed_is_refused(world: ProjectWorld) -> None:
    summary = text_of(browser(world.owner).post(f"{UI}/add?verify=1", FORM))
    blob = re.search(r'name="application" value="([^"]+)"', summary)
    assert blob is not None
    assert browser(world.member).post(f"{UI}/add", {"application": blob[1]}).status_code == 400
    assert browser(world.owner).post(f"{UI}/add", {"application": f"{blob[1]}x"}).status_code == 400
    assert not ProjectApplication.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "hint"),
    [
        ("name", "no domain", "domain name"),
        ("end_date", "2001-01-01", "has passed"),
        ("end_date", "x", "valid date"),
        ("start_date", "2191-01-01", "end after it starts"),
        ("demo.vm_m_uplimit", "11", "more than the whole"),
        ("demo.vm_p_uplimit", "many", "Enter a number"),
        ("demo.vm_p_uplimit", "1 GiB", "Enter a number"),
        ("demo.ram_p_uplimit", "", "all members together"),
        ("limit_on_members_number", "-1", "Enter a number"),
        ("member_join_policy", "closed", "valid choice"),
    ],
)
def test_wrong_fields_come_back_with_the_form(world: ProjectWorld, field: str, value: str, hint: str) -> None:
    response = browser(world.owner).post(f"{UI}/add", {**FORM, field: value})
    assert response.status_code == 422
    assert hint in text_of(response)


def test_members_times_limit_above_the_total_is_a_warning(world: ProjectWorld) -> None:
    response = browser(world.owner).post(f"{UI}/add?verify=1", {**FORM, "limit_on_members_number": "50"})
    assert response.status_code == 200
    assert "not enough for every member" in text_of(response)


def test_the_form_gives_way_to_the_reason_when_too_many_wait(world: ProjectWorld) -> None:
    for number in range(2):
        world.apply(f"n{number}.lab.example")
    page = browser(world.owner)
    text = text_of(page.get(f"{UI}/add"))
    assert "limit-reached" in text and "application-form" not in text
    assert page.post(f"{UI}/add", FORM).status_code == 409
    assert "application-form" in text_of(browser(world.admin).get(f"{UI}/add"))


def test_a_change_asks_for_what_differs_only(world: ProjectWorld) -> None:
    uuid = world.project(resources={"demo.vm": {"project_capacity": 10, "member_capacity": 2}})
    page = browser(world.owner)
    form = text_of(page.get(f"{UI}/{uuid}/modify"))
    assert "start_date" not in form
    fields = {
        **FORM, "end_date": "2200-01-01", "description": "", "comments": "", "limit_on_members_number": "inf",
        "demo.vm_p_uplimit": "30", "demo.ram_p_uplimit": "", "demo.ram_m_uplimit": "",
    }  # fmt: skip
    summary = text_of(page.post(f"{UI}/{uuid}/modify?verify=1", fields))
    assert "+20" in summary
    assert page.post(f"{UI}/{uuid}/modify", fields).status_code == 303
    application = ProjectApplication.objects.get(state=ApplicationState.PENDING)
    assert (application.name, application.end_date, application.limit_on_members_number) == (None,) * 3
    assert [row.resource.name for row in application.resources.all()] == ["demo.vm"]
    shown = text_of(page.get(f"{UI}/{uuid}"))
    assert "A modification awaits review" in shown


@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("admin", 200), ("member", 403)])
def test_who_may_ask_for_a_change(world: ProjectWorld, who: str, status: int) -> None:
    uuid = world.project()
    assert browser(getattr(world, who)).get(f"{UI}/{uuid}/modify").status_code == status


def test_a_system_project_is_changed_by_administrators_without_its_identity(world: ProjectWorld) -> None:
    uuid = world.owner.uuid
    assert browser(world.owner).get(f"{UI}/{uuid}/modify").status_code == 403
    assert 'name="homepage"' not in text_of(browser(world.admin).get(f"{UI}/{uuid}/modify"))


# -- details and applications --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "private", "status"),
    [
        ("owner", True, 200), ("admin", True, 200), ("stranger", True, 403), ("stranger", False, 200),
        ("member", True, 200),
    ],
)  # fmt: skip
def test_who_sees_a_project(world: ProjectWorld, who: str, private: bool, status: int) -> None:
    uuid = world.project(private=private)
    world.enroll(uuid)
    response = browser(getattr(world, who)).get(f"{UI}/{uuid}")
    assert response.status_code == status
    if status == 200:
        text = text_of(response)
        assert ("See members" in text) == (who in ("owner", "admin"))
        assert (">Used<" in text) == (who != "stranger")
        assert ("Suspend" in text) == (who == "admin")


def test_a_project_that_was_never_approved_is_its_application(world: ProjectWorld) -> None:
    uuid, application = world.apply()
    response = browser(world.owner).get(f"{UI}/{uuid}")
    assert response["Location"] == f"{UI}/{uuid}/app/{application}"
    text = text_of(browser(world.owner).get(response["Location"]))
    assert 'data-page="P-06"' in text
    assert "action-cancel" in text and "action-approve" not in text
    assert "action-approve" in text_of(browser(world.admin).get(response["Location"]))
    assert browser(world.stranger).get(response["Location"]).status_code == 403


def test_an_applicant_follows_what_was_applied_for_in_anothers_name(world: ProjectWorld) -> None:
    uuid, application = world.apply(by=world.member, owner=world.owner.uuid)
    page = browser(world.member)
    assert "genome.lab.example" in text_of(page.get(UI))
    path = page.get(f"{UI}/{uuid}")["Location"]
    assert path == f"{UI}/{uuid}/app/{application}"
    assert "action-cancel" in text_of(page.get(path))
    assert page.post(f"{path}/cancel").status_code == 303
    assert 'data-page="P-06"' in text_of(page.get(path))
    assert world.member.api.get(f"account/v1.0/projects/{uuid}").status_code == 403


def test_an_applicant_sees_no_more_of_a_project_than_others_once_it_is_approved(world: ProjectWorld) -> None:
    uuid, application = world.apply(by=world.member, owner=world.owner.uuid, private=True)
    assert world.answer("approve", uuid, application).status_code == 200
    page = browser(world.member)
    assert page.get(f"{UI}/{uuid}").status_code == 403
    assert "genome.lab.example" not in text_of(page.get(UI))


@pytest.mark.parametrize(
    ("action", "who", "state"),
    [
        ("approve", "admin", ApplicationState.APPROVED), ("deny", "admin", ApplicationState.DENIED),
        ("cancel", "owner", ApplicationState.CANCELLED), ("approve", "owner", None),
        ("deny", "stranger", None), ("cancel", "stranger", None),
    ],
)  # fmt: skip
def test_answering_an_application(
    world: ProjectWorld, action: str, who: str, state: ApplicationState | None
) -> None:
    uuid, application = world.apply()
    page, path = browser(getattr(world, who)), f"{UI}/{uuid}/app/{application}/{action}"
    if state is None:
        assert page.get(path).status_code == page.post(path).status_code == 403
        return
    assert "<form" in text_of(page.get(path))
    assert ProjectApplication.objects.get().state == ApplicationState.PENDING
    assert page.post(path, {"reason": "so"}).status_code == 303
    answered = ProjectApplication.objects.get()
    assert answered.state == state
    assert "so" in (answered.response, answered.waive_reason)


def test_a_superseded_application_is_a_conflict_with_the_present_state(world: ProjectWorld) -> None:
    uuid = world.project()
    ids = [
        world.owner.api.call("PUT", f"account/v1.0/projects/{uuid}", {"description": text}).json()[
            "application"
        ]
        for text in "ab"
    ]
    response = browser(world.admin).post(f"{UI}/{uuid}/app/{ids[0]}/approve")
    assert response.status_code == 409
    assert "superseded" in text_of(response) and f"{UI}/{uuid}/app/{ids[1]}" in text_of(response)


@pytest.mark.parametrize(("action", "state"), [("suspend", "SUSPENDED"), ("terminate", "TERMINATED")])
def test_administrators_control_projects(world: ProjectWorld, action: str, state: str) -> None:
    uuid = world.project()
    assert browser(world.owner).post(f"{UI}/{uuid}/{action}").status_code == 403
    admin = browser(world.admin)
    assert admin.get(f"{UI}/{uuid}/{action}").status_code == 200
    assert admin.post(f"{UI}/{uuid}/{action}", {"reason": "x"}).status_code == 303
    assert world.state(uuid) == ProjectState[state]
    assert admin.post(f"{UI}/{uuid}/{action}").status_code == 409


# -- members -------------------------------------------------------------------------------------------


def test_join_cancel_and_leave(world: ProjectWorld) -> None:
    uuid = world.project()
    page = browser(world.member)
    assert page.get(f"{UI}/{uuid}/join").status_code == 200
    assert not ProjectMembership.objects.filter(project__uuid=uuid).exists()
    assert page.post(f"{UI}/{uuid}/join").status_code == 303
    assert "Cancel request" in text_of(page.get(UI))
    assert page.post(f"{UI}/{uuid}/cancel-join-request").status_code == 303
    world.enroll(uuid)
    assert "Accepted member" in text_of(page.get(f"{UI}/{uuid}"))
    assert page.post(f"{UI}/{uuid}/leave").status_code == 303
    membership = ProjectMembership.objects.get(project__uuid=uuid)
    assert membership.state == MembershipState.REMOVED


def test_refused_joining_shows_the_project_as_it_is(world: ProjectWorld) -> None:
    uuid = world.project()
    Project.objects.filter(uuid=uuid).update(member_join_policy=Policy.CLOSED)
    response = browser(world.member).post(f"{UI}/{uuid}/join")
    assert response.status_code == 409
    assert "closed" in text_of(response) and "action-join" not in text_of(response)
    assert browser(world.member).post(f"{UI}/{uuid}/leave").status_code == 403


@pytest.mark.parametrize("path", ["", "/approved", "/pending"])
@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("admin", 200), ("member", 403)])
def test_who_sees_members(world: ProjectWorld, who: str, status: int, path: str) -> None:
    uuid = world.project(max_members=3)
    world.join(uuid)
    world.enroll(uuid, world.stranger)
    response = browser(getattr(world, who)).get(f"{UI}/{uuid}/members{path}")
    assert response.status_code == status
    if status == 200:
        text = text_of(response)
        assert "2 places are left." in text
        assert ("mary@lab.example" in text) == (path != "/approved")
        assert ("sam@lab.example" in text) == (path != "/pending")


def test_many_requests_are_decided_at_once(world: ProjectWorld) -> None:
    uuid = world.project(max_members=1)
    ids = [world.join(uuid, who).json()["id"] for who in (world.member, world.stranger)]
    response = browser(world.owner).post(f"{UI}/{uuid}/members/change", {"members": ids, "action": "accept"})
    assert response.status_code == 409
    text = text_of(response)
    assert "1 membership changed." in text and "has 1 members and may have 1" in text
    retry = text[text.index('data-testid="outcomes"') : text.index('data-testid="retry-failed"')]
    assert f'name="members" value="{ids[1]}"' in retry and f'name="members" value="{ids[0]}"' not in retry
    states = ProjectMembership.objects.filter(pk__in=ids).order_by("pk").values_list("state", flat=True)
    assert list(states) == [MembershipState.ACCEPTED, MembershipState.REQUESTED]


def test_what_one_request_has_no_time_for_is_offered_again(
    world: ProjectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LONGEST", -1.0)
    uuid = world.project(max_members=1)
    ids = [world.join(uuid, who).json()["id"] for who in (world.member, world.stranger)]
    page, path = browser(world.owner), f"{UI}/{uuid}/members/change"
    answer = page.post(path, {"members": ids, "action": "accept"})
    assert answer.status_code == 200
    text = text_of(answer)
    assert "1 membership changed." in text and "1 is left" in text and "retry-failed" not in text
    rest = text[text.index('data-testid="outcomes"') : text.index('data-testid="go-on"')]
    assert re.findall(r'name="members" value="(\d+)"', rest) == [str(ids[1])]
    states = ProjectMembership.objects.filter(pk__in=ids).order_by("pk").values_list("state", flat=True)
    assert list(states) == [MembershipState.ACCEPTED, MembershipState.REQUESTED]


def test_addresses_that_one_request_has_no_time_for_stay_in_the_box(
    world: ProjectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LONGEST", -1.0)
    uuid = world.project()
    addresses = "mary@lab.example\nsam@lab.example"
    answer = browser(world.owner).post(f"{UI}/{uuid}/members/add", {"addresses": addresses})
    text = text_of(answer)
    assert answer.status_code == 422 and "There was no time for 1 of them" in text
    assert "sam@lab.example</textarea>" in text
    (added,) = ProjectMembership.objects.filter(project__uuid=uuid).values_list("person__email", flat=True)
    assert added == "mary@lab.example"


@pytest.mark.parametrize("everything", [False, True])
def test_taking_many_out_asks_first_and_for_a_reason(world: ProjectWorld, everything: bool) -> None:
    uuid = world.project()
    for who in (world.member, world.stranger):
        world.enroll(uuid, who)
    ids = [world.membership(uuid, who) for who in (world.member, world.stranger)]
    page, path = browser(world.owner), f"{UI}/{uuid}/members/change"
    wanted: dict[str, Any] = {"everything": "1", "q": "lab"} if everything else {"members": ids}
    asked = text_of(page.post(path, wanted | {"action": "remove"}))
    assert "Remove 2 members" in asked and "mary@lab.example" in asked and "sam@lab.example" in asked
    assert [world.on_membership("accept", pk).status_code for pk in ids] == [409, 409]
    part = page.post(path, wanted | {"action": "remove"}, headers={"HX-Request": "true"})
    assert b"<html" not in part.content and b"<textarea" in part.content
    mail.outbox.clear()
    chosen = re.findall(r'name="members" value="(\d+)"', asked)
    body = {"members": chosen, "action": "remove", "confirmed": "1", "reason": "The course is over."}
    assert page.post(path, body).status_code == 303
    states = ProjectMembership.objects.filter(pk__in=ids).values_list("state", flat=True)
    assert set(states) == {MembershipState.REMOVED}
    assert all("The course is over." in str(message.body) for message in mail.outbox)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "destroy"},
        {"action": "accept", "members": "x"},
        {"action": "accept", "members": "1" * 30},
    ],
)
def test_nonsense_about_many_members_is_refused(world: ProjectWorld, body: dict[str, str]) -> None:
    answer = browser(world.owner).post(f"{UI}/{world.project()}/members/change", body)
    assert answer.status_code == 400


def test_members_of_another_project_cannot_be_changed_from_here(world: ProjectWorld) -> None:
    mine = world.project("mine.lab.example", by=world.member)
    other = world.project("other.lab.example")
    membership = world.join(other, world.stranger).json()["id"]
    page = browser(world.member)
    page.post(f"{UI}/{mine}/members/change", {"members": [membership], "action": "accept"})
    assert page.post(f"{UI}/{mine}/memberships/{membership}/accept").status_code == 404
    assert page.post(f"{UI}/{other}/memberships/{membership}/accept").status_code == 403
    assert ProjectMembership.objects.get(pk=membership).state == MembershipState.REQUESTED


@pytest.mark.parametrize(
    ("action", "state"), [("accept", MembershipState.ACCEPTED), ("reject", MembershipState.REJECTED)]
)
def test_one_request_is_decided(world: ProjectWorld, action: str, state: MembershipState) -> None:
    uuid = world.project()
    membership = world.join(uuid).json()["id"]
    page, path = browser(world.owner), f"{UI}/{uuid}/memberships/{membership}/{action}"
    assert "mary@lab.example" in text_of(page.get(path))
    assert page.post(path).status_code == 303
    assert ProjectMembership.objects.get(pk=membership).state == state
    assert page.post(path).status_code == 409


def test_people_are_added_by_address(world: ProjectWorld) -> None:
    uuid = world.project()
    page, path = browser(world.owner), f"{UI}/{uuid}/members/add"
    refused = page.post(path, {"addresses": "mary@lab.example, nobody@lab.example"})
    assert refused.status_code == 422
    text = text_of(refused)
    assert "Nobody has these addresses: nobody@lab.example." in text
    assert re.search(r"<textarea[^>]*>\s*mary@lab\.example</textarea>", text)
    mail.outbox.clear()
    assert page.post(path, {"addresses": "Mary@lab.example\nsam@lab.example"}).status_code == 303
    assert ProjectMembership.objects.filter(project__uuid=uuid).count() == 2
    assert browser(world.member).post(path, {"addresses": "x@y.example"}).status_code == 403


def test_the_addresses_of_forms_below_a_list_lead_back_to_it(world: ProjectWorld) -> None:
    uuid = world.project()
    members = f"{UI}/{uuid}/members"
    client = browser(world.owner)
    for path, page in ((f"{members}/add", members), (f"{members}/change", members), (f"{UI}/review", UI)):
        assert client.get(path)["Location"].rstrip("/") == page


def test_changes_need_the_forms_token(world: ProjectWorld) -> None:
    uuid = world.project()
    client = Client(enforce_csrf_checks=True)
    client.cookies = browser(world.member).cookies
    for path in (f"{uuid}/join", "add", f"{uuid}/members/add"):
        response = client.post(
            f"{UI}/{path}", urlencode({"x": 1}), content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code == 403
    assert not Resource.objects.filter(name="x").exists()
