"""Reconciling object storage with the quota holder."""

from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from astakos import public as astakos
from astakos.models import Commission, Holding
from pithos.logic import reconciliation
from synnefo import clock
from tests.markers import needs_postgres

pytestmark = pytest.mark.db

RESOURCES = "reconcile-resources-pithos"
COMMISSIONS = "reconcile-commissions-pithos"


def run(name: str, *args: str) -> tuple[Any, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *args, "--output-format", "json", stdout=out, stderr=err)
    return json.loads(out.getvalue() or "null"), err.getvalue()


def drift(user: str, by: int) -> None:
    """Let the quota holder believe in more or fewer bytes of a user in his own project."""
    rows = Holding.objects.filter(holder=f"user:{user}") | Holding.objects.filter(holder=f"project:{user}")
    for row in rows.filter(resource="pithos.diskspace"):
        Holding.objects.filter(pk=row.pk).update(usage_min=row.usage_min + by, usage_max=row.usage_max + by)


def test_nothing_to_do(maria, nikos):
    maria.put("docs/x", b"hello")
    assert run(RESOURCES) == ([], "Everything in sync.\n")


@pytest.mark.parametrize("by", [7, -3])
def test_a_difference_is_shown_and_fixed(maria, nikos, by):
    maria.put("docs/x", b"hello")
    drift(maria.uuid, by)
    rows, _ = run(RESOURCES)
    assert rows == [
        {
            "Type": "user",
            "Holder": f"user:{maria.uuid}",
            "Source": f"project:{maria.uuid}",
            "Resource": "pithos.diskspace",
            "Database": 5,
            "Quotaholder": 5 + by,
        },
        {
            "Type": "project",
            "Holder": f"project:{maria.uuid}",
            "Source": None,
            "Resource": "pithos.diskspace",
            "Database": 5,
            "Quotaholder": 5 + by,
        },
    ]
    assert maria.usage() == 5 + by, "without --fix nothing changes"
    assert "Fixed unsynced resources" in run(RESOURCES, "--fix")[1]
    assert maria.usage() == 5
    assert run(RESOURCES)[0] == []


def test_one_users_and_one_projects(maria, nikos):
    drift(maria.uuid, 1)
    drift(nikos.uuid, 2)
    assert {row["Holder"] for row in run(RESOURCES, "--user", maria.uuid)[0]} == {f"user:{maria.uuid}"}
    by_mail = run(RESOURCES, "--user", "maria@lab.example")[0]
    assert [row["Quotaholder"] for row in by_mail] == [1]
    assert len(run(RESOURCES, "--project", nikos.uuid)[0]) == 2
    for nobody in ("nobody", "nobody@lab.example"):
        with pytest.raises(CommandError, match="No holdings for user"):
            run(RESOURCES, "--user", nobody)


def test_limits_hold_unless_forced(maria):
    maria.put("docs/x", b"hello")
    drift(maria.uuid, -2)
    Holding.objects.filter(holder=f"user:{maria.uuid}").update(limit=4)
    with pytest.raises(CommandError, match="Use --force"):
        run(RESOURCES, "--fix")
    assert maria.usage() == 3
    run(RESOURCES, "--fix", "--force")
    assert maria.usage() == 5


def test_superseded_versions_count_where_they_are_charged(settings, maria):
    settings.PITHOS_BACKEND_FREE_VERSIONING = False
    for data in (b"1", b"22", b"333"):
        maria.put("docs/x", data)
    maria.post("docs/x", type="text/plain", query="update", x_object_meta_color="blue")
    maria.delete("docs/x")
    assert maria.usage() == 6, "a change of metadata costs nothing"
    assert run(RESOURCES)[0] == []
    settings.PITHOS_BACKEND_FREE_VERSIONING = True
    assert [(row["Database"], row["Quotaholder"]) for row in run(RESOURCES)[0]] == [(0, 6), (0, 6)]


def test_holders_with_a_pending_commission_are_left_alone(maria):
    drift(maria.uuid, 7)
    charge = astakos.charge(maria.uuid, maria.uuid, {"pithos.diskspace": 10})
    astakos.issue_commission(clientkey="pithos", name="half done", provisions=charge)
    rows, said = run(RESOURCES, "--fix")
    assert rows == []
    assert said.count("Pending commission for") == 2


def test_bytes_without_a_holding_are_reported(maria):
    maria.put("docs/x", b"hello")
    Holding.objects.filter(resource="pithos.diskspace").delete()
    with pytest.raises(CommandError) as caught:
        run(RESOURCES)
    assert caught.value.returncode == 2


def test_old_pending_commissions_are_rejected_and_young_ones_left(maria):
    charge = astakos.charge(maria.uuid, maria.uuid, {"pithos.diskspace": 10})
    old = astakos.issue_commission(clientkey="pithos", name="old", provisions=charge)
    Commission.objects.filter(pk=old).update(issue_datetime=clock.now().replace(year=2020))
    young = astakos.issue_commission(clientkey="pithos", name="young", provisions=charge)
    other = astakos.issue_commission(clientkey="cyclades", name="not ours", provisions=charge)
    assert maria.usage() == 30
    shown = run(COMMISSIONS)[0]
    assert shown == {"Pending commissions to be accepted": [], "Pending commissions to be rejected": [old]}
    assert run(COMMISSIONS, "--fix")[0] == {"Accepted": [], "Rejected": [old], "Failed": []}
    assert set(Commission.objects.values_list("pk", flat=True)) == {young, other}
    run(COMMISSIONS, "--fix", "--older-than", "0")
    assert list(Commission.objects.values_list("pk", flat=True)) == [other]
    assert maria.usage() == 10
    assert "No pending commissions" in run(COMMISSIONS)[1]


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_objects_and_holdings_are_read_of_one_moment(maria):
    """Uploads go on while the comparison runs, and it never sees one half of a change."""
    stop = threading.Event()

    def write() -> None:
        try:
            size = 0
            while not stop.is_set():
                size = (size + 7) % 50
                maria.put("docs/x", bytes(size))
        finally:
            connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = [reconciliation.compare() for _ in range(25)]
    finally:
        stop.set()
        writer.join()
    assert [item for findings in found for item in (*findings.unsynced, *findings.unknown)] == []
