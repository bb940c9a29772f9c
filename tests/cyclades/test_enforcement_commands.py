"""enforce-resources-cyclades on a database."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from astakos.models import Holding
from cyclades.logic import floating_ips, quota
from cyclades.models import IPAddress, Network, Server, ServerResize, ServerState, Task
from tests.cyclades.ganeti_fixtures import add_volume

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def enforce(*args: str) -> tuple[Any, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("enforce-resources-cyclades", *args, "--output-format", "json", stdout=out, stderr=err)
    finally:
        text = out.getvalue()
    return json.loads(text or "null"), err.getvalue()


def limit(person, resource: str, value: int) -> None:
    Holding.objects.filter(holder=f"user:{person.uuid}", resource=resource).update(limit=value)


@pytest.fixture
def servers(make_server, person, cluster) -> list[Server]:
    """Two running servers of two CPUs each and one that is stopped, all paid for."""
    made = []
    for state in (ServerState.STARTED, ServerState.STARTED, ServerState.STOPPED):
        server = make_server(operstate=state)
        volume = add_volume(server)
        deltas = quota.server_deltas(server, Task.BUILD, volumes=[volume])
        if state == ServerState.STOPPED:
            for resource in (quota.CPU, quota.RAM):
                deltas[server.project].pop(resource, None)
        quota.charge_now(person.uuid, deltas, name="create")
        made.append(server)
    return made


def test_nobody_is_above_a_limit(servers):
    assert "No violations." in enforce("--resources", "cyclades.cpu,cyclades.vm")[1]


def test_a_report_changes_nothing(servers, person, cluster):
    limit(person, "cyclades.cpu", 3)
    tables, _ = enforce()
    assert tables["Violations"] == [
        {
            "#": 1,
            "Type": "user",
            "Holder": f"user:{person.uuid}",
            "Source": f"project:{person.uuid}",
            "Resource": "cyclades.cpu",
            "Limit": 3,
            "Usage": 4,
        }
    ]
    assert [(a["Type"], a["ID"], a["Action"]) for a in tables["Suggested Actions"]] == [
        ("vm", servers[1].pk, "SHUTDOWN")
    ]
    assert not Server.objects.exclude(task="").exists()


def test_fixing_shuts_down_with_the_given_time(servers, person, submitted):
    limit(person, "cyclades.cpu", 1)
    tables, _ = enforce("--resources", "cyclades.cpu", "--fix", "--shutdown-timeout", "7")
    assert [a["Result"] for a in tables["Applied Actions"]] == ["DONE", "DONE"]
    intents = {s.pk: s.intents.get() for s in servers[:2]}
    assert {i.operation for i in intents.values()} == {Task.STOP}
    assert {i.payload["body"]["timeout"] for i in intents.values()} == {7}


def test_a_server_that_its_resize_has_stopped_is_charged_and_stays_stopped(servers, person, submitted):
    server = servers[1]
    server.resize = ServerResize.objects.create(old_flavor=server.flavor, flavor=server.flavor, restart=True)
    server.operstate, server.task = ServerState.STOPPED, Task.RESIZE
    server.save()
    limit(person, "cyclades.cpu", 3)
    tables, _ = enforce("--resources", "cyclades.cpu", "--fix")
    assert [(a["ID"], a["Result"]) for a in tables["Applied Actions"]] == [(server.pk, "DONE")]
    server = Server.objects.get(pk=server.pk)
    assert (server.task, server.resize.restart) == (Task.RESIZE, False)
    assert person.usage("cyclades.cpu") == (2, 0)
    assert "No violations." in enforce("--resources", "cyclades.cpu")[1]


def test_operations_are_limited_by_backend(servers, person, submitted):
    limit(person, "cyclades.cpu", 1)
    tables, _ = enforce("--resources", "cyclades.cpu", "--fix", "--max-operations", "1")
    assert [a["Result"] for a in tables["Applied Actions"]] == ["DONE", "SKIPPED"]


def test_data_is_lost_only_after_a_yes(servers, person, submitted, monkeypatch):
    limit(person, "cyclades.vm", 2)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(CommandError, match="Nothing was changed"):
        enforce("--resources", "cyclades.vm", "--fix")
    assert not Server.objects.exclude(task="").exists()
    tables, _ = enforce("--resources", "cyclades.vm", "--fix", "--force")
    assert [(a["Type"], a["ID"]) for a in tables["Applied Actions"]] == [
        ("vm", servers[2].pk),
        ("volume", servers[2].volumes.get().pk),
    ]
    servers[2].refresh_from_db()
    assert servers[2].task == Task.DESTROY


def test_a_failure_does_not_stop_the_others(servers, person, submitted):
    limit(person, "cyclades.cpu", 1)
    Server.objects.filter(pk=servers[1].pk).update(task=Task.REBOOT)
    with pytest.raises(CommandError, match="failed") as caught:
        enforce("--resources", "cyclades.cpu", "--fix")
    assert caught.value.returncode == 2
    servers[0].refresh_from_db()
    assert servers[0].task == Task.STOP


def test_holders_with_pending_commissions_are_left_alone(servers, person):
    limit(person, "cyclades.cpu", 1)
    quota.issue_for(person.uuid, {person.uuid: {"cyclades.cpu": 1}}, name="in flight", force=True)
    _, said = enforce()
    assert "Pending commission" in said
    assert "No violations" in said


def test_free_floating_ips_are_released(person, public_network):
    Network.objects.update(floating_ip_pool=True)
    for _ in range(2):
        floating_ips.create(person.credentials)
    limit(person, "cyclades.floating_ip", 1)
    enforce("--resources", "cyclades.floating_ip", "--fix", "--force")
    assert IPAddress.objects.filter(deleted=False).count() == 1
    assert person.usage("cyclades.floating_ip") == (1, 0)


@pytest.mark.parametrize(
    "args",
    [
        ("--resources", "cyclades.nothing"),
        ("--soft-resources", "cyclades.cpu"),
        ("--resources", "cyclades.vm", "--soft-resources", "cyclades.vm"),
        ("--fix",),
    ],
)
def test_nonsense_is_refused(args, db):
    with pytest.raises(CommandError):
        enforce(*args)


def test_users_and_projects_can_be_left_out(servers, person):
    limit(person, "cyclades.cpu", 1)
    for args in (("--exclude-users", person.uuid), ("--projects", "other"), ("--users", "nobody")):
        assert "No violations." in enforce(*args)[1]
    assert enforce("--users", person.uuid)[0]["Violations"]


def test_resources_are_listed(db):
    rows, _ = enforce("--list-resources")
    assert {
        "Name": "cyclades.cpu",
        "Enforce action": "shut down servers",
        "Soft enforce action": None,
    } in rows
