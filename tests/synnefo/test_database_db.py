"""Connections and statements: the health check, the bound on lock waits, statements planned once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from synnefo.db import prepared
from synnefo.db.locks import atomic, bound_lock_waits, retry_on_deadlock
from synnefo.db.streams import stream
from tests.markers import needs_postgres


@pytest.mark.db
@pytest.mark.django_db
def test_parameters_by_place_and_by_name() -> None:
    assert prepared.fetch_all(
        "SELECT %(a)s || %(b)s || %(a)s" if connection.vendor == "sqlite" else
        "SELECT %(a)s::text || %(b)s::text || %(a)s::text", {"a": "x", "b": "y", "unused": 1},
    ) == [("xyx",)]  # fmt: skip
    cast = "" if connection.vendor == "sqlite" else "::int"
    assert prepared.fetch_one(f"SELECT %s{cast} - %s{cast}", [7, 4]) == (3,)
    assert prepared.fetch_one("SELECT 1 WHERE 1 = 0", []) is None


@pytest.mark.db
@pytest.mark.django_db
def test_long_results_come_row_by_row() -> None:
    numbers = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5000) SELECT n FROM t"
    assert sum(row[0] for row in stream(numbers, [])) == 5000 * 5001 // 2


@pytest.mark.db
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_statement_is_planned_once_for_each_connection(settings: Settings) -> None:
    def plans() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'synnefo_test'")
            return cursor.fetchone()[0]

    sql = "SELECT %s::int AS synnefo_test"
    for number in range(3):
        with CaptureQueriesContext(connection) as captured:
            assert prepared.fetch_one(sql, [number]) == (number,)
        assert len(captured) == 1
    assert plans() == 1
    connection.close()
    assert prepared.fetch_one(sql, [9]) == (9,)
    settings.DATABASE_PREPARED_STATEMENTS = False
    connection.close()
    assert prepared.fetch_one(sql, [9]) == (9,)
    assert plans() == 0


@pytest.mark.db
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_migration_does_not_break_planned_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE moving (value int)")
        cursor.execute("INSERT INTO moving VALUES (5)")
    sql = "SELECT value FROM moving WHERE value = %s"
    assert prepared.fetch_one(sql, [5]) == (5,)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE moving ALTER value TYPE bigint")
    assert prepared.fetch_one(sql, [5]) == (5,)
    assert prepared.fetch_one(sql, [5]) == (5,)
    connection.close()


@pytest.mark.db
@needs_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "run", [prepared.fetch_all, lambda *one: prepared.execute_all(("SELECT 1", []), one)]
)
def test_a_migration_ends_one_transaction_at_most(run: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE moved (value int)")
        cursor.execute("INSERT INTO moved VALUES (5)")

    @retry_on_deadlock
    def use_case() -> Any:
        with atomic():
            return run("SELECT value FROM moved WHERE value = %s", [5])

    try:
        assert use_case() == [(5,)]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE moved ALTER value TYPE bigint")
        assert use_case() == [(5,)]
        assert use_case() == [(5,)]
    finally:
        connection.close()


@pytest.mark.db
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_behind_a_pooler_each_transaction_bounds_its_own_lock_waits(settings: Settings) -> None:
    def bound() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return cursor.fetchone()[0]

    connection.close()
    settings.DATABASE_PREPARED_STATEMENTS, settings.DATABASE_LOCK_TIMEOUT = False, 1234
    with atomic():
        assert bound() == "1234ms"
    assert bound() == "0"


@pytest.mark.db
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_lock_waits_are_bounded_for_the_whole_connection(settings: Settings) -> None:
    settings.DATABASE_LOCK_TIMEOUT = 1234
    with atomic():
        pass
    with CaptureQueriesContext(connection) as captured, atomic():
        pass
    assert [query for query in captured if "lock_timeout" in query["sql"]] == []
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("1234ms",)
    settings.DATABASE_LOCK_TIMEOUT = 2000
    bound_lock_waits()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("2s",)
    connection.close()


@pytest.mark.fault
@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_replaced_unasked() -> None:
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as captured:
        assert connection.is_usable()
    assert len(captured) == 0
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert not connection.is_usable()
    connection.close()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert not other.is_usable()
    finally:
        other.close()
