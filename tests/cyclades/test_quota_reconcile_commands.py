"""Cyclades against the quota holder: recounting and left commissions."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from astakos import public as astakos
from astakos.models import Holding
from cyclades.logic import networks, quota, quota_reconciliation
from cyclades.models import Server, ServerState, Task
from tests.cyclades.ganeti_fixtures import add_volume

pytestmark = [pytest.mark.db, pytest.mark.django_db]

RESOURCES, COMMISSIONS = "reconcile-resources-cyclades", "reconcile-commissions-cyclades"


def run(name: str, *args: str) -> tuple[Any, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(name, *args, "--output-format", "json", stdout=out, stderr=err)
    return json.loads(out.getvalue() or "null"), err.getvalue()


@pytest.fixture
def server(make_server, person, mac_pool) -> Server:
    """A started server with its disk and a private network, all paid for."""
    server = make_server()
    deltas = quota.server_deltas(server, Task.BUILD, volumes=[add_volume(server)])
    quota.charge_now(person.uuid, deltas, name="create")
    networks.create(person.credentials, flavor_name="MAC_FILTERED")
    return server


def test_what_was_charged_is_what_exists(server):
    assert run(RESOURCES) == ([], "Everything in sync.\n")


@pytest.mark.parametrize(
    ("state", "resources"),
    [(ServerState.STOPPED, {"cyclades.cpu", "cyclades.ram"}), (ServerState.ERROR, set())],
)
def test_only_online_servers_use_cpu(server, state, resources):
    Server.objects.update(operstate=state)
    assert {row["Resource"] for row in run(RESOURCES)[0]} == resources


def test_differences_are_shown_and_mended(server, person):
    Server.objects.update(deleted=True)
    rows, _ = run(RESOURCES)
    assert {(row["Type"], row["Resource"]) for row in rows} == {
        (kind, f"cyclades.{name}")
        for kind in ("user", "project")
        for name in ("vm", "total_cpu", "total_ram", "cpu", "ram")
    }
    assert "Fixed" in run(RESOURCES, "--fix")[1]
    assert person.usage("cyclades.vm") == (0, 0)
    assert run(RESOURCES) == ([], "Everything in sync.\n")


def test_limits_hold_unless_forced(server, person):
    Holding.objects.filter(resource="cyclades.vm").update(usage_min=0, usage_max=0, limit=0)
    with pytest.raises(CommandError, match="--force"):
        run(RESOURCES, "--fix")
    run(RESOURCES, "--fix", "--force")
    assert person.usage("cyclades.vm") == (1, 0)


def test_a_user_can_be_looked_at_alone(server, person, stranger):
    Server.objects.update(userid=stranger.uuid)
    rows, _ = run(RESOURCES, "--user", "maria@lab.example", "--project", person.uuid)
    assert {row["Holder"] for row in rows} == {f"user:{person.uuid}"}
    with pytest.raises(CommandError, match="No holdings for user"):
        run(RESOURCES, "--user", "nobody@lab.example")


def test_what_has_a_commission_pending_is_left_alone(server, person):
    quota.issue_for(person.uuid, {person.uuid: {"cyclades.vm": 1}}, name="in flight")
    Server.objects.update(deleted=True)
    rows, said = run(RESOURCES)
    assert "Pending commission" in said
    assert "cyclades.vm" not in {row["Resource"] for row in rows}


def test_a_comparison_takes_few_queries(server, django_assert_max_num_queries):
    with django_assert_max_num_queries(8):
        quota_reconciliation.compare()


def test_a_commission_that_nothing_waits_for_is_rejected(server, person):
    deltas = {person.uuid: {"cyclades.vm": 1}}
    lost = quota.issue_for(person.uuid, deltas, name="lost")
    kept = quota.issue_for(person.uuid, deltas, name="kept")
    Server.objects.update(task=Task.START, serial=kept)
    lists, _ = run(COMMISSIONS)
    assert lists["Pending commissions to be rejected"] == [lost]
    assert lists["Pending commissions of running jobs"] == [kept]
    assert run(COMMISSIONS, "--older-than", "600")[0]["Pending commissions to be rejected"] == []
    assert run(COMMISSIONS, "--fix")[0]["Rejected"] == [lost]
    assert astakos.pending_commissions(clientkey="cyclades") == [kept]
    assert run(COMMISSIONS, "--fix")[0]["Rejected"] == []


def test_a_serial_that_was_left_behind_is_forgotten(server, person):
    serial = quota.issue_for(person.uuid, {person.uuid: {"cyclades.vm": 1}}, name="left")
    Server.objects.update(task="", serial=serial)
    run(COMMISSIONS, "--fix")
    server.refresh_from_db()
    assert server.serial is None
    assert person.usage("cyclades.vm") == (1, 0)
