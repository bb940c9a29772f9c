"""Pages that list hundreds of rows: bounded, in a fixed number of queries, each row exactly once."""

# ruff: noqa: F811  (fixtures that are imported)
from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from astakos.models import Invitation, MembershipState, Project, ProjectMembership, User
from synnefo import clock
from tests.astakos.conftest import Person
from tests.astakos.project_world import ProjectWorld, people, world  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.urls("tests.astakos.pages_urls")]
UI = "/astakos/ui"
MANY = 130  # three pages: one between the first and the last


def browser(person: Person) -> Client:
    client = Client()
    assert client.post(f"/test/sign-in/{person.uuid}").status_code == 200
    return client


def walk(client: Client, path: str, row: str, queries: Any, most: int) -> list[list[str]]:
    """Return what *row* finds on each page of a list, following its links; checks the way back."""
    pages: list[list[str]] = []
    query = ""
    client.get(path)
    while True:
        with queries(most):
            text = client.get(f"{path}?{query}").content.decode()
        assert ('rel="first"' in text) == (len(pages) > 0)
        pages.append(re.findall(row, text))
        following = re.search(r'rel="next" href="\?([^"]*)"', text)
        if following is None:
            return pages
        query = following[1].replace("&amp;", "&")


def add_members(uuid: str) -> None:
    now = clock.now()
    made = User.objects.bulk_create(
        User(
            username=f"m{number:03}@lab.example", email=f"m{number:03}@lab.example", last_name="Doe",
            auth_token="", auth_token_digest=f"m{number}", auth_token_created=now, auth_token_expires=now,
            date_joined=now,
        )
        for number in range(MANY)
    )  # fmt: skip
    project = Project.objects.get(uuid=uuid)
    states = (MembershipState.ACCEPTED, MembershipState.REQUESTED)
    ProjectMembership.objects.bulk_create(
        ProjectMembership(person=user, project=project, state=states[number % 2])
        for number, user in enumerate(made)
    )


def test_members(world: ProjectWorld, django_assert_max_num_queries: Any) -> None:
    uuid = world.project()
    add_members(uuid)
    client = browser(world.owner)
    for which, count in (("", MANY), ("/approved", MANY // 2), ("/pending", MANY // 2)):
        path = f"{UI}/projects/{uuid}/members{which}"
        pages = walk(client, path, r"<td[^>]*>(m\d+)@lab", django_assert_max_num_queries, 15)
        assert {len(page) for page in pages[:-1]} == {50}, which
        seen = [email for page in pages for email in page]
        assert len(seen) == len(set(seen)) == count, which


@pytest.mark.parametrize("sort", ["", "name"])
def test_projects(world: ProjectWorld, django_assert_max_num_queries: Any, sort: str) -> None:
    add_projects()
    path, client = f"{UI}/projects", browser(world.admin)
    query = urlencode({"sort": sort, "per_page": 50, "q": "lab"})
    first = client.get(f"{path}?{query}").content.decode()
    assert f'value="{sort}" selected' in first or not sort
    seen = []
    while True:
        with django_assert_max_num_queries(9):
            text = client.get(f"{path}?{query}").content.decode()
        seen.append(re.findall(r">(p\d+)\.lab\.example</a>", text))
        following = re.search(r'rel="next" href="\?([^"]*)"', text)
        if following is None:
            break
        query = following[1].replace("&amp;", "&")
    assert [len(page) for page in seen] == [50, 50, MANY - 100]
    names = [name for page in seen for name in page]
    wanted = [f"p{number % 7}{number:03}" for number in range(MANY)]
    assert names == (sorted(wanted) if sort else wanted[::-1])


def add_projects() -> None:
    like = Project.objects.filter(is_base=True)[0]
    Project.objects.bulk_create(
        Project(
            realname=f"p{number % 7}{number:03}.lab.example",
            creation_date=like.creation_date,
            end_date=like.end_date,
            member_join_policy=like.member_join_policy,
            member_leave_policy=like.member_leave_policy,
            limit_on_members_number=5,
            state=1,
        )
        for number in range(MANY)
    )


def test_projects_by_status(world: ProjectWorld) -> None:
    world.apply("pending.lab.example")
    world.project("active.lab.example")
    world.act("suspend", world.project("suspended.lab.example"))
    world.act("terminate", world.project("terminated.lab.example"))
    for action, name in (("deny", "denied"), ("cancel", "cancelled")):
        uuid, application = world.apply(f"{name}.lab.example", by=world.admin)
        assert world.answer(action, uuid, application).status_code == 200
    client = browser(world.admin)
    for status in ("pending", "active", "suspended", "terminated", "denied", "cancelled"):
        text = client.get(f"{UI}/projects?status={status}").content.decode()
        assert re.findall(r">(\w+)\.lab\.example</a>", text) == [status]


@pytest.mark.parametrize("query", ["q=nowhere", "status=suspended"])
def test_nothing_that_matches_is_told_from_nothing_at_all(world: ProjectWorld, query: str) -> None:
    world.project()
    assert "empty-filtered" in browser(world.owner).get(f"{UI}/projects?{query}").content.decode()


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", "per_page=7", "per_page=9" + "9" * 30, "status=x"]
)
def test_nonsense_in_the_address_is_the_list_as_usual(world: ProjectWorld, query: str) -> None:
    world.project()
    answer = browser(world.owner).get(f"{UI}/projects?{query}")
    assert answer.status_code == 200 and b"genome.lab.example" in answer.content


def test_invitations(world: ProjectWorld, settings: Any, django_assert_max_num_queries: Any) -> None:
    settings.ASTAKOS_INVITATIONS_ENABLED = True
    Invitation.objects.bulk_create(
        Invitation(
            inviter=world.owner.row, realname="Guest", email=f"g{number:03}@lab.example",
            code_digest=str(number), created=clock.now(),
        )
        for number in range(MANY)
    )  # fmt: skip
    pages = walk(browser(world.owner), f"{UI}/invite", r"(g\d+)@lab", django_assert_max_num_queries, 8)
    seen = [name for page in pages for name in page]
    assert len(pages) == 3 and seen == [f"g{number:03}" for number in reversed(range(MANY))]


def test_a_list_of_memberships_counts_seats_once(
    world: ProjectWorld, django_assert_max_num_queries: Any
) -> None:
    uuid = world.project(max_members=MANY // 2)
    add_members(uuid)
    with django_assert_max_num_queries(6):
        found = world.owner.api.get(f"account/v1.0/projects/memberships?project={uuid}").json()
    actions = {row["state"]: row["allowed_actions"] for row in found}
    assert len(found) == MANY and actions["requested"] == ["reject"] and "remove" in actions["accepted"]


FRAGMENT = {"HTTP_HX_REQUEST": "true"}


def test_lists_refresh_by_their_rows_alone(world: ProjectWorld) -> None:
    uuid = world.project()
    world.enroll(uuid)
    client = browser(world.owner)
    for path in (f"{UI}/projects", f"{UI}/projects/{uuid}/members", f"{UI}/projects/{uuid}/members/approved"):
        page = client.get(path)
        live = re.search(r'<div data-live="([^"]*)"', page.content.decode())
        assert live is not None and "HX-Request" in page["Vary"]
        part = client.get(live[1].replace("&amp;", "&"), **FRAGMENT)
        assert b"<table" in part.content and b"<html" not in part.content
        assert part["Cache-Control"] == "private, no-store" and "HX-Request" in part["Vary"]


def test_a_part_of_a_page_is_never_the_login_page(world: ProjectWorld, client: Client) -> None:
    answer = client.get(f"{UI}/projects", **FRAGMENT)
    assert (answer.status_code, answer["HX-Trigger"]) == (401, "session-expired")


def test_after_a_refusal_the_members_refresh_from_their_own_address(world: ProjectWorld) -> None:
    uuid = world.project()
    world.enroll(uuid)
    answer = browser(world.owner).post(f"{UI}/projects/{uuid}/members/change", {"action": "accept"})
    assert answer.status_code == 422
    assert f'data-live="{UI}/projects/{uuid}/members?"' in answer.content.decode()


def test_the_order_of_a_list_betrays_nothing_of_other_lists(world: ProjectWorld) -> None:
    mine, others = world.project("mine.lab.example"), world.project("others.lab.example")
    world.enroll(mine)
    foreign = ProjectMembership.objects.create(
        person=User.objects.get(uuid=world.owner.uuid), project=Project.objects.get(uuid=others), state=1
    )
    client = browser(world.owner)
    for sort in ("email", "-email"):
        page = client.get(f"{UI}/projects/{mine}/members?sort={sort}&after={foreign.pk}").content.decode()
        assert f">{world.member.row.email}" not in page
    Project.objects.filter(uuid=others).update(private=True, owner=None)
    hidden = Project.objects.get(uuid=others).pk
    ProjectMembership.objects.filter(project=hidden).delete()
    for sort in ("name", "-name"):
        page = client.get(f"{UI}/projects?sort={sort}&before={hidden}").content.decode()
        assert "mine.lab.example" not in page
