"""Every class of difference of servers and networks: a report changes nothing, its flag mends it, once."""

# ruff: noqa: F811
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from astakos.models import Commission, Holding
from cyclades.ganeti import clients, names
from cyclades.logic import reconcile_networks, reconcile_servers
from cyclades.logic.reconcile_networks import Difference
from cyclades.models import (
    Backend,
    BackendNetwork,
    IPAddress,
    IPPool,
    JobIntent,
    Network,
    NetworkState,
    Port,
    PortState,
    Server,
    ServerState,
    ServerTag,
    SnapshotJob,
    Subnet,
    TagStatus,
    Task,
    Volume,
)
from synnefo import clock
from tests.cyclades.ganeti_fixtures import FakeCluster, add_port, add_volume
from tests.cyclades.test_reconcile_servers import instance_of, job, present, reconcile, server  # noqa: F401

pytestmark = [pytest.mark.db, pytest.mark.django_db]

_CHANGING = ("Create", "Delete", "Startup", "Shutdown", "Reboot", "Modify", "Add", "Connect", "Disconnect")


def state() -> list[list[dict[str, Any]]]:
    """Everything that a report must not change."""
    models = (
        Server,
        Port,
        IPAddress,
        Volume,
        ServerTag,
        Network,
        BackendNetwork,
        Holding,
        Commission,
        SnapshotJob,
    )
    return [list(model.objects.order_by("pk").values()) for model in models]


def changes(cluster: FakeCluster) -> list[str]:
    return [method for method in cluster.methods() if method.startswith(_CHANGING)]


Make = Callable[[Server, dict[str, Any], FakeCluster], None]


def gone(server, present, cluster) -> None:
    cluster.instances.clear()


def orphan(server, present, cluster) -> None:
    cluster.instances["snf-999999"] = {"name": "snf-999999"}


def stopped(server, present, cluster) -> None:
    present["oper_state"] = False


def failed_build(server, present, cluster) -> None:
    cluster.instances.clear()
    Server.objects.update(operstate=ServerState.BUILD, backendjobid=7)
    job(cluster, 7, "error")


def other_address(server, present, cluster) -> None:
    present["nic.ips"] = ["10.0.3.9"]


def lost_disk(server, present, cluster) -> None:
    for column in ("disk.names", "disk.sizes", "disk.uuids"):
        present[column] = []


def unnamed_disk(server, present, cluster) -> None:
    present["disk.names"] = [*present["disk.names"], None]
    present["disk.sizes"] = [*present["disk.sizes"], 2048]
    present["disk.uuids"] = [*present["disk.uuids"], "the-uuid"]


def resized(server, present, cluster) -> None:
    present["beparams"] = {"vcpus": 4, "maxmem": 4096}


def tagged(server, present, cluster) -> None:
    ServerTag.objects.create(server=server, tag="cyclades:user:old", status=TagStatus.ACTIVE)
    present["tags"] = ["cyclades:user:new"]


def rescued(server, present, cluster) -> None:
    present["hvparams"] = {"boot_order": "cdrom", "cdrom_image_path": "/rescue.iso"}


def waiting(server, present, cluster) -> None:
    Server.objects.update(task=Task.REBOOT, task_job_id=7)


def snapshot_of_a_lost_disk(server, present, cluster) -> None:
    SnapshotJob.objects.create(
        snapshot_id="0f0b7f2e-3b1d-4b5f-9c9e-0d6f6f1f2a12",
        server=server,
        backend=server.backend,
        disk="snf-vol-999999",
        size=1 << 30,
    )
    SnapshotJob.objects.update(created=clock.now() - timedelta(hours=1))


CLASSES: dict[str, tuple[Make, str]] = {
    "stale": (gone, "--fix-stale"),
    "orphans": (orphan, "--fix-orphans"),
    "unsynced": (stopped, "--fix-unsynced"),
    "build error": (failed_build, "--fix-unsynced"),
    "unsynced-nics": (other_address, "--fix-unsynced-nics"),
    "unsynced-disks": (lost_disk, "--fix-unsynced-disks"),
    "unsynced-flavors": (resized, "--fix-unsynced-flavors"),
    "unsynced-tags": (tagged, "--fix-unsynced-tags"),
    "unsynced-rescue": (rescued, "--fix-unsynced-rescue"),
    "pending-tasks": (waiting, "--fix-pending-tasks"),
    "unsynced-snapshots": (snapshot_of_a_lost_disk, "--fix-unsynced-snapshots"),
}
_FLAGS = sorted({flag for _, flag in CLASSES.values()})


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_of_servers_is_reported_then_mended_by_its_flag(
    kind, server, present, cluster, bigger_flavor, capsys
):
    make, flag = CLASSES[kind]
    make(server, present, cluster)
    before = state()
    assert set(reconcile(capsys)) == {kind}
    reconcile(capsys, *(other for other in _FLAGS if other != flag))
    assert state() == before
    assert changes(cluster) == []
    assert reconcile(capsys, flag)[kind]["result"] not in ("", "changed meanwhile")
    if kind == "orphans":
        assert changes(cluster) == ["DeleteInstance"]
        cluster.instances.pop("snf-999999")
    assert reconcile(capsys, "--fix-all") == {}


def test_a_disk_without_a_name_becomes_a_volume(server, present, cluster, capsys):
    unnamed_disk(server, present, cluster)
    assert set(reconcile(capsys)) == {"unsynced-disks"}
    assert reconcile(capsys, "--fix-unsynced-disks")["unsynced-disks"]["result"] == "mended"
    volume = server.volumes.get(size=2)
    assert JobIntent.objects.get().operation == "NAME_DISK"
    # Until its naming is done it is no other disk.
    assert reconcile(capsys, "--fix-all") == {}
    JobIntent.objects.update(state="DONE")
    present["disk.names"][-1] = f"snf-vol-{volume.pk}"
    Volume.objects.update(created=clock.now() - timedelta(hours=1))
    assert set(reconcile(capsys, "--fix-all")) == {"unsynced-disks"}
    volume.refresh_from_db()
    assert volume.status == "IN_USE"


def test_several_backends_are_looked_at_and_one_that_is_away_is_told(
    server, present, cluster, capsys, monkeypatch
):
    Backend.objects.create(clustername="away.example", index=1, updated=clock.now())
    away = FakeCluster(failure=clients.RapiUnavailable("away"))
    clients.forget_all()
    monkeypatch.setattr(
        clients, "new_client", lambda *, clustername, **_: away if "away" in clustername else cluster
    )
    stopped(server, present, cluster)
    with pytest.raises(CommandError, match=r"away\.example") as caught:
        call_command("reconcile-servers", "--fix-all")
    assert caught.value.returncode == 2
    assert "mended" in capsys.readouterr().out
    call_command("reconcile-servers", "--backend-id", "cluster.example")
    assert "unsynced" not in capsys.readouterr().out


def test_the_number_of_queries_does_not_grow_with_the_servers(make_server, public_network, cluster, backend):
    counts = []
    for more in (1, 5):
        for number in range(more):
            server = make_server()
            add_port(server, public_network, f"10.0.3.{10 * more + number}", state=PortState.ACTIVE)
            add_volume(server)
            instance = instance_of(server)
            cluster.instances[instance["name"]] = instance
        with CaptureQueriesContext(connection) as captured:
            reconcile_servers.plan(reconcile_servers.look(backend))
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 10


# -- networks ------------------------------------------------------------------------------------------


@pytest.fixture
def network(public_network, backend, cluster) -> Network:
    """A public network that is on the cluster since long."""
    BackendNetwork.objects.create(network=public_network, backend=backend, operstate=NetworkState.ACTIVE)
    name = names.network_name(public_network.pk)
    cluster.networks[name] = {
        "name": name,
        "group_list": [["default", "bridged", "br0", ""]],
        "external_reservations": "10.0.3.0, 10.0.3.255",
    }
    grow_old()
    return public_network


def grow_old() -> None:
    long_ago = clock.now() - timedelta(hours=1)
    BackendNetwork.objects.update(updated=long_ago)
    Network.objects.update(updated=long_ago)


def network_orphan(network, live, cluster) -> None:
    cluster.networks["snf-net-999"] = {"name": "snf-net-999", "group_list": []}


def parted(network, live, cluster) -> None:
    BackendNetwork.objects.all().delete()


def undeleted(network, live, cluster) -> None:
    Network.objects.update(action="DESTROY")


def missing(network, live, cluster) -> None:
    cluster.networks.clear()


def hanging(network, live, cluster) -> None:
    live["group_list"] = []


def unsynced(network, live, cluster) -> None:
    BackendNetwork.objects.update(operstate=NetworkState.PENDING)


def reserved(network, live, cluster) -> None:
    live["external_reservations"] = "10.0.3.77"


def inactive(network, live, cluster) -> None:
    Network.objects.update(state=NetworkState.ERROR)


def never_ended(network, live, cluster) -> None:
    cluster.networks.clear()
    BackendNetwork.objects.all().delete()
    Network.objects.update(action="DESTROY")


NETWORK_CLASSES = {
    "orphan": (network_orphan, Difference.ORPHAN),
    "parted": (parted, Difference.NO_ROW),
    "undeleted": (undeleted, Difference.UNDELETED),
    "missing": (missing, Difference.MISSING),
    "hanging": (hanging, Difference.UNCONNECTED),
    "unsynced": (unsynced, Difference.STATE),
    "reserved": (reserved, Difference.RESERVED),
    "inactive": (inactive, Difference.NETWORK_STATE),
    "never ended": (never_ended, Difference.NETWORK_STATE),
}
#: What the mended cluster shows once the jobs are done; others need no job.
_AFTER_JOBS: dict[str, Callable[[Any, Any, Any], None]] = {
    "orphan": lambda network, live, cluster: cluster.networks.pop("snf-net-999"),
    "undeleted": lambda network, live, cluster: (
        cluster.networks.clear(),
        Network.objects.update(deleted=True),
    ),
    "missing": lambda network, live, cluster: (
        cluster.networks.update({live["name"]: live}),
        BackendNetwork.objects.update(operstate=NetworkState.ACTIVE),
    ),
    "hanging": lambda network, live, cluster: live.update(group_list=[["default", "bridged", "br0", ""]]),
    "parted": lambda network, live, cluster: BackendNetwork.objects.update(operstate=NetworkState.ACTIVE),
}


def found(*, fix: bool = False) -> list[Difference]:
    return [finding.difference for finding in reconcile_networks.reconcile(fix=fix)]


@pytest.mark.parametrize("case", NETWORK_CLASSES)
def test_a_class_of_networks_is_reported_then_mended(case, network, cluster):
    make, kind = NETWORK_CLASSES[case]
    live = cluster.networks[names.network_name(network.pk)]
    make(network, live, cluster)
    grow_old()
    before = state()
    assert found() == [kind]
    assert (state(), changes(cluster)) == (before, [])
    assert found(fix=True) == [kind]
    _AFTER_JOBS.get(case, lambda *_: None)(network, live, cluster)
    grow_old()
    assert found(fix=True) == []


def test_the_number_of_queries_does_not_grow_with_the_networks(network, backend, cluster):
    live, counts = cluster.networks[names.network_name(network.pk)], []
    for more in (0, 3):
        for _ in range(more):
            other = Network.objects.create(name="n", flavor="CUSTOM", mac_prefix="aa:00:0", state="ACTIVE")
            subnet = Subnet.objects.create(network=other, ipversion=4, cidr="10.0.3.0/24")
            IPPool.objects.create(subnet=subnet, size=200, offset=2)
            BackendNetwork.objects.create(network=other, backend=backend, operstate=NetworkState.ACTIVE)
            name = names.network_name(other.pk)
            cluster.networks[name] = live | {"name": name}
        with CaptureQueriesContext(connection) as captured:
            assert found() == []
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 6


def test_the_command_tells_what_it_found(network, cluster, capsys):
    inactive(network, None, cluster)
    grow_old()
    call_command("reconcile-networks", "--fix-all")
    assert "mended" in capsys.readouterr().out
    network.refresh_from_db()
    assert network.state == NetworkState.ACTIVE
