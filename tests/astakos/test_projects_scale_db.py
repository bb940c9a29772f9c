"""Lists of 2,500 projects: few queries, and no more rows in memory at a time than a batch."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from astakos.logic import keyset, project_pages, project_queries
from astakos.models import Policy, Project, ProjectState, User
from synnefo import clock
from synnefo.credentials import Credentials
from tests.astakos.conftest import Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
COUNT = 2500


@pytest.fixture
def owner(user: Person) -> Credentials:
    """Somebody with so many projects."""
    row, now = User.objects.get(uuid=user.uuid), clock.now()
    Project.objects.bulk_create(
        (
            Project(
                realname=f"n{number}.lab.example", name=f"n{number}.lab.example", owner=row,
                creation_date=now, end_date=now, member_join_policy=Policy.AUTO,
                member_leave_policy=Policy.AUTO, limit_on_members_number=5, state=ProjectState.ACTIVE,
            )
            for number in range(COUNT)
        ),
        batch_size=1000,
    )  # fmt: skip
    return Credentials(user_id=user.uuid)


def test_the_list_reads_batches(owner: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    details = project_queries._details

    def counted(credentials: Credentials, project: Project) -> Any:
        sizes.append(project.pk)
        return details(credentials, project)

    monkeypatch.setattr(project_queries, "_details", counted)
    with CaptureQueriesContext(connection) as queries:
        found = project_queries.list_projects(owner)
    assert len(found) == len(set(sizes)) == COUNT + 1
    assert sizes == sorted(sizes)
    batches = COUNT // project_queries.BATCH + 1
    assert len(queries) <= 3 * batches
    assert all("LIMIT" in query["sql"] or "IN (" in query["sql"] for query in queries)


def test_every_page_takes_two_queries_and_the_last_is_like_the_first(owner: Credentials) -> None:
    for sort in ("-created", "name", "-end"):
        walk(owner, project_pages.Chosen(sort=sort))


def walk(owner: Credentials, chosen: project_pages.Chosen) -> None:
    pages, before = 0, None
    while True:
        with CaptureQueriesContext(connection) as queries:
            batch = project_pages.related(owner, chosen=chosen, after=before, limit=500)
        assert len(queries) == 2
        assert not any("OFFSET" in query["sql"] for query in queries)
        assert batch.total == keyset.MAX_COUNTED + 1
        pages += 1
        if batch.next is None:
            break
        before = batch.next
    assert pages == COUNT // 500
