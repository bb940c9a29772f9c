"""Administration of clusters (Ganeti contract 1.4)."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from cyclades.ganeti import clients
from cyclades.models import Backend, BackendNetwork, NetworkState, ProjectBackend, Server
from synnefo import crypto

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ADD = ("--clustername", "cluster.example", "--user", "snf", "--pass", "a-secret")


@pytest.fixture(autouse=True)
def _cluster(cluster, monkeypatch):
    cluster.nodes = [
        {
            "vm_capable": True,
            "cnodes": 1,
            "mfree": 5,
            "mtotal": 9,
            "dfree": 7,
            "dtotal": 8,
            "pinst_cnt": 1,
            "ctotal": 2,
        }
    ]

    def finished(job_id, timeout=0):
        return {"id": job_id, "status": "success"}

    monkeypatch.setattr(type(cluster), "WaitForJobCompletion", staticmethod(finished), raising=False)
    return cluster


def rows(capsys, command: str, *options: str) -> list[dict]:
    call_command(command, *options, "--output-format", "json")
    return json.loads(capsys.readouterr().out)


def test_a_new_backend_is_drained_refreshed_and_has_the_public_networks(public_network, cluster, capsys):
    shown = rows(capsys, "backend-add", *ADD)
    backend = Backend.objects.get()
    assert (backend.drained, backend.public, backend.mfree, backend.ctotal) == (True, True, 5, 2)
    assert backend.disk_templates == ["plain", "drbd"]
    assert crypto.decrypt(backend.password_hash, clients.PASSWORD_PURPOSE) == "a-secret"
    assert shown["Networks"][0]["Result"] == "success"
    assert BackendNetwork.objects.get().mac_prefix == "aa:00:00"
    assert cluster.calls[0][0] == "AddClusterTags"
    assert cluster.calls[0][2]["dry_run"] is True


@pytest.mark.parametrize(
    "wrong", [("--port", "0"), ("--port", "65536"), ("--user", "u" * 65), ("--clustername", "c" * 129)]
)
def test_what_can_not_be_stored_is_refused(wrong):
    with pytest.raises(CommandError, match=r"port|longer"):
        call_command("backend-add", *ADD, *wrong)


def test_the_cluster_must_have_the_name_it_is_registered_with(cluster):
    cluster.info["name"] = "other.example"
    with pytest.raises(CommandError, match=r"other\.example"):
        call_command("backend-add", *ADD)
    assert not Backend.objects.exists()


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (clients.RapiUnavailable("no", 401), "refuses these credentials"),
        (clients.RapiUnavailable("connection refused"), "does not answer"),
        (clients.RapiUnknown("no answer in time"), "does not answer"),
        (clients.RapiRefused(400, "no"), "refuses a test"),
    ],
)
def test_a_cluster_that_can_not_be_used_is_not_registered(cluster, failure, text):
    cluster.failure = failure
    with pytest.raises(CommandError, match=text):
        call_command("backend-add", *ADD)
    assert not Backend.objects.exists()


def test_without_check_and_init_nobody_is_asked(cluster):
    call_command("backend-add", *ADD, "--no-check", "--no-init", "--hypervisor", "fake")
    assert cluster.calls == []


def test_the_lowest_free_index_is_given(db):
    for number in (0, 1, 3):
        Backend.objects.create(clustername=f"c{number}", index=number, updated="2026-01-01T00:00Z")
    call_command("backend-add", *ADD, "--no-check", "--no-init")
    assert Backend.objects.get(clustername="cluster.example").index == 2


def test_there_are_at_most_sixteen_backends():
    for number in range(16):
        Backend.objects.create(clustername=f"c{number}", index=number, updated="2026-01-01T00:00Z")
    with pytest.raises(CommandError, match="16 backends"):
        call_command("backend-add", *ADD, "--no-check", "--no-init")


def test_the_list_counts_living_servers_and_addresses(make_server, backend, public_network, capsys):
    BackendNetwork.objects.create(backend=backend, network=public_network)
    make_server()
    make_server(deleted=True)
    row = rows(capsys, "backend-list", "-o", "id,vms,ips,mem,disk")[0]
    assert row["ips"] == "200/200"
    assert (row["vms"], row["mem"], row["disk"]) == (1, "1048576/1048576", "16777216/16777216")


def test_new_credentials_are_tried_before_they_are_stored(backend, cluster):
    cluster.failure = clients.RapiUnavailable("no", 401)
    with pytest.raises(CommandError, match="refuses"):
        call_command("backend-modify", str(backend.pk), "--password", "new")
    backend.refresh_from_db()
    assert backend.password_hash == ""


def test_flags_are_changed_without_asking(backend, cluster):
    call_command("backend-modify", str(backend.pk), "--drained", "True", "--offline", "True")
    backend.refresh_from_db()
    assert (backend.drained, backend.offline, cluster.calls) == (True, True, [])


def test_a_backend_with_servers_stays(make_server, backend):
    make_server()
    with pytest.raises(CommandError, match="1 servers"):
        call_command("backend-remove", str(backend.pk), "--force")
    assert Backend.objects.exists()


def test_a_removed_backend_takes_our_networks_along(make_server, backend, public_network, cluster):
    server = make_server(deleted=True)
    BackendNetwork.objects.create(backend=backend, network=public_network, operstate=NetworkState.ACTIVE)
    cluster.networks[f"snf-net-{public_network.pk}"] = {"group_list": [["default", "bridged", "br0", ""]]}
    call_command("backend-remove", str(backend.pk), "--force")
    assert not Backend.objects.exists()
    assert Server.objects.get(pk=server.pk).backend is None
    assert cluster.methods() == ["GetNetwork", "DisconnectNetwork", "DeleteNetwork"]
    assert cluster.calls[-1][2]["depends"] == [[100, ["canceled", "error", "success"]]]


def test_the_status_of_every_reachable_backend_is_updated(backend, cluster):
    call_command("backend-update-status")
    backend.refresh_from_db()
    assert backend.mfree == 5
    cluster.failure = clients.RapiUnavailable("no")
    with pytest.raises(CommandError, match=backend.clustername):
        call_command("backend-update-status")


def test_backends_are_reserved_for_projects(backend, capsys):
    call_command("project-backend-add", "--project", "physics", "--backend", str(backend.pk))
    with pytest.raises(CommandError, match="already"):
        call_command("project-backend-add", "--project", "physics", "--backend", str(backend.pk))
    capsys.readouterr()
    row = rows(capsys, "project-backend-list")[0]
    assert row["project"] == "physics"
    with pytest.raises(CommandError, match="Name"):
        call_command("project-backend-remove")
    call_command("project-backend-remove", "--project", "physics")
    assert not ProjectBackend.objects.exists()
