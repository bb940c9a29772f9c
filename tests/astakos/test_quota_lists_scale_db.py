"""Token and quota calls when there are many users: how many statements, how much memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from astakos.logic import quotas
from astakos.models import Holding
from tests.astakos.conftest import Api, MakeUser, Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]
USERS, PROJECTS = 6_000, 5
RESOURCE = "demo.vm"


def sequence(count: int) -> str:
    """SQL whose column ``n`` counts from 1 to *count*."""
    return (
        f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
        " SELECT n FROM numbers"
    )


@pytest.fixture
def crowd(service: Api) -> Iterator[Api]:
    """Six thousand users with five holdings each and as many of projects: 60,000 holdings in all."""
    columns = '(holder, source, resource, "limit", usage_min, usage_max)'
    with connection.cursor() as cursor:
        for number in range(PROJECTS):
            project = f"'project:' || n || '-{number}'"
            for holder, source in (("'user:u' || n", project), (project, "NULL")):
                cursor.execute(
                    f"INSERT INTO astakos_holding {columns} "
                    f"SELECT {holder}, {source}, '{RESOURCE}', 5, 1, 2 FROM ({sequence(USERS)}) AS t"
                )
        cursor.execute("ANALYZE")
    yield service


def test_a_list_of_everybodys_quota_takes_bounded_memory(crowd: Api) -> None:
    assert Holding.objects.filter(resource=RESOURCE).count() == 2 * USERS * PROJECTS
    crowd.get("account/v1.0/service_quotas?user=u1")
    tracemalloc.start()
    try:
        with CaptureQueriesContext(connection) as captured:
            response = crowd.get("account/v1.0/service_quotas")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(captured) <= 3
    length = int(response["Content-Length"])
    assert length > 7 << 19
    # SQLite keeps its pages elsewhere; what Python holds is a batch of rows and the first part of the body.
    assert peak < 3 << 20
    body = b"".join(response.streaming_content)
    response.close()
    assert len(body) == length
    answer = json.loads(body)
    assert len(answer) == USERS
    numbers = {"limit": 5, "usage": 2, "pending": 1}
    numbers |= {"project_limit": 5, "project_usage": 2, "project_pending": 1}
    assert answer["u777"]["777-4"] == {RESOURCE: numbers}


def test_one_users_quota_does_not_depend_on_how_many_there_are(
    crowd: Api, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        answer = crowd.get("account/v1.0/service_quotas?user=u1,u2").json()
    assert set(answer) == {"u1", "u2"}
    sql, parameters = quotas._user_statement([RESOURCE], ["u1"], None)
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        cursor.execute(explain + sql, parameters)
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "SCAN h" not in plan


def test_own_quotas_take_two_statements(
    service: Api, make_user: MakeUser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person = make_user()
    with django_assert_num_queries(2):
        assert person.api.get("account/v1.0/quotas").status_code == 200


def test_a_commission_takes_one_statement_besides_authentication(
    service: Api, user: Person, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    provision = {"holder": f"user:{user.uuid}", "source": f"project:{user.uuid}", "resource": RESOURCE}
    body = {"name": "", "provisions": [{**provision, "quantity": 1}]}
    service.post("account/v1.0/commissions", body)
    # SQLite has no statement that does it all.
    with django_assert_max_num_queries(2 if connection.vendor == "postgresql" else 12):
        assert service.post("account/v1.0/commissions", body).status_code == 201
