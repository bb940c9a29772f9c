"""Row locks: never outside a transaction, bounded, retried."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection, transaction

from synnefo import clock
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import ServiceUnavailable
from synnefo.models import AuditRecord
from tests.markers import needs_postgres

pytestmark = pytest.mark.db


def make(action: str) -> AuditRecord:
    return AuditRecord.objects.create(created=clock.now(), actor="a", action=action, target="t")


@pytest.mark.django_db(transaction=True)
def test_locks_are_refused_outside_a_transaction():
    with pytest.raises(transaction.TransactionManagementError):
        lock_rows(AuditRecord.objects.all())


@pytest.mark.django_db(transaction=True)
def test_rows_come_back_in_key_order():
    make("b"), make("a")
    with atomic():
        keys = [row.pk for row in lock_rows(AuditRecord.objects.order_by("-pk"))]
    assert keys == sorted(keys)


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_waiting_for_a_lock_is_bounded(settings):
    settings.DATABASE_LOCK_TIMEOUT = 100
    row = make("x")
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with atomic():
            lock_one(AuditRecord.objects.filter(pk=row.pk))
            holding.set()
            release.wait(120)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(120)

    @retry_on_deadlock
    def want() -> None:
        with atomic():
            lock_one(AuditRecord.objects.filter(pk=row.pk))

    settings.DATABASE_LOCK_RETRIES = 1
    with pytest.raises(ServiceUnavailable):
        want()
    release.set()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_other_database_errors_are_not_repeated():
    calls = []

    @retry_on_deadlock
    def fail() -> None:
        calls.append(1)
        raise OperationalError("disk full")

    with pytest.raises(OperationalError):
        fail()
    assert len(calls) == 1
