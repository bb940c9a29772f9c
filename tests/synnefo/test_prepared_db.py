"""Statements written by hand: rows of models, several at once, a lock and what it guards."""

from __future__ import annotations

import pytest
from django.db import transaction

from synnefo import clock
from synnefo.db import locks, prepared, rows
from synnefo.models import AuditRecord

pytestmark = [pytest.mark.db, pytest.mark.django_db]

_SELECT = f"SELECT {rows.columns(AuditRecord, 'r')} FROM synnefo_audit r WHERE r.action = %s"


def record(action: str) -> AuditRecord:
    made = AuditRecord(
        created=clock.now(), actor="a", action=action, target="t", request_id="r", details={"é": [1, None]}
    )
    rows.insert(made)
    return made


def test_a_row_comes_back_as_it_went_in():
    made = record("x.y")
    by_hand = rows.build(AuditRecord, prepared.fetch_all(_SELECT, ["x.y"])[0])
    by_manager = AuditRecord.objects.get(pk=made.pk)
    for field in AuditRecord._meta.concrete_fields:
        values = {repr(getattr(one, field.attname)) for one in (made, by_hand, by_manager)}
        assert len(values) == 1, (field.name, values)


def test_many_rows_get_their_keys():
    made = [AuditRecord(created=clock.now(), actor=str(n), action="m", target="t") for n in range(3)]
    rows.insert_all(made)
    assert [row.pk for row in made] == list(
        AuditRecord.objects.filter(action="m").order_by("actor").values_list("pk", flat=True)
    )
    rows.insert_all([])


def test_several_statements_give_the_rows_of_the_last():
    change = "UPDATE synnefo_audit SET target = %s WHERE action = %s"
    record("x.y")
    found = prepared.execute_all((change, ["new", "x.y"]), (_SELECT, ["x.y"]))
    assert rows.build(AuditRecord, found[0]).target == "new"
    assert prepared.execute_all((change, ["newer", "x.y"])) == []
    assert prepared.execute_all() == []


def test_what_a_lock_guards_is_read_behind_it():
    record("x.y")
    lock = "SELECT 1 FROM synnefo_audit r WHERE r.action = %s"
    assert len(locks.lock_then_fetch((lock, ["x.y"]), (_SELECT, ["x.y"]), of="r")) == 1
    assert locks.lock_then_fetch((lock, ["none"]), (_SELECT, ["none"]), of="r") == []


@pytest.mark.django_db(transaction=True)
def test_a_lock_outside_a_transaction_is_refused():
    with pytest.raises(transaction.TransactionManagementError):
        locks.lock_then_fetch((_SELECT, ["x"]), (_SELECT, ["x"]), of="r")
