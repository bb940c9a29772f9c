"""Lists and reconciliation with 10,000 servers, half of them on a simulated cluster, and 2,000 networks.

``python -m tests.benchmarks.bench_scale`` makes a database of its own and prints JSON. A smaller number of
servers as the first argument makes it a check that the program works.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.lab.instance import free_ports, port_answers, wait_until

SERVERS, NETWORKS = 10_000, 2_000
#: One in so many instances differs from its server.
EVERY = 100
PASSWORD = "rapi-password"


def make_content(servers: int) -> tuple[str, list[Any]]:
    """Insert everything in bulk; return the user's token and the servers of the simulated cluster."""
    from astakos import public as astakos
    from cyclades.models import (
        Backend,
        BackendNetwork,
        Flavor,
        IPAddress,
        Network,
        Port,
        Server,
        Subnet,
        Volume,
        VolumeType,
    )
    from synnefo import clock
    from tests.benchmarks.bench_dispatcher import make_user

    make_user()
    token = astakos.create_user(
        email="t@b.example", password="a-password", first_name="T", last_name="T", admin=True
    )
    backend, other = (
        Backend.objects.create(clustername=name, index=index, offline=index == 1, updated=clock.now())
        for index, name in enumerate(("localhost", "other.example"))
    )
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=10, volume_type=kind)
    owned: dict[str, Any] = {"userid": token.uuid, "project": token.uuid}
    networks = Network.objects.bulk_create(
        Network(name=f"n{n}", flavor="CUSTOM", mac_prefix="aa:00:0", state="ACTIVE", **owned)
        for n in range(max(1, servers * NETWORKS // SERVERS))
    )
    subnet = Subnet.objects.create(network=networks[0], ipversion=4, cidr="10.0.0.0/16", dhcp=False)
    BackendNetwork.objects.create(network=networks[0], backend=backend, operstate="ACTIVE")
    made = Server.objects.bulk_create(
        Server(
            name=f"s{n}", backend=backend if n < servers // 2 else other, flavor=flavor, imageid="i",
            operstate="STARTED", **owned,
        )
        for n in range(servers)
    )  # fmt: skip
    ports = Port.objects.bulk_create(
        Port(
            machine=server, network=networks[0], userid=token.uuid, state="ACTIVE", index=0,
            mac=f"aa:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
        )
        for n, server in enumerate(made)
    )  # fmt: skip
    IPAddress.objects.bulk_create(
        IPAddress(
            subnet=subnet,
            network=networks[0],
            nic=port,
            address=f"10.0.{n // 250}.{n % 250 + 1}",
            ipversion=4,
        )
        for n, port in enumerate(ports)
    )
    Volume.objects.bulk_create(
        Volume(machine=server, size=10, volume_type=kind, index=0, status="IN_USE", **owned)
        for server in made
    )
    used = {"vm": 1, "total_cpu": 1, "cpu": 1, "total_ram": 512 << 20, "ram": 512 << 20, "disk": 10 << 30}
    provisions = astakos.charge(
        token.uuid, token.uuid, {f"cyclades.{name}": servers * amount for name, amount in used.items()}
    )
    astakos.issue_commission(clientkey="cyclades", name="bench", provisions=provisions, auto_accept=True)
    # What is young is left to its events.
    Port.objects.update(created=clock.now() - timedelta(hours=1))
    simulated_servers = Server.objects.filter(backend=backend).order_by("pk")
    return token.token, list(simulated_servers.prefetch_related("ports__ips", "volumes"))


def write_cluster(folder: Path, servers: list[Any]) -> None:
    """Write the state of a cluster that has an instance for each of *servers*; a few of them are stopped."""
    from gtools.simulator import SimulatorOptions
    from gtools.simulator.cluster import Cluster, Disk, Instance, Network, Nic

    queue = folder / "queue"
    queue.mkdir()
    cluster = Cluster(
        SimulatorOptions(
            queue_dir=queue, state_file=folder / "state.json", cluster_name="localhost", password="p"
        )
    )
    first = servers[0].ports.all()[0].network_id
    network = Network(
        name=f"snf-net-{first}", network="10.0.0.0/16", groups={"default": ["bridged", "br0", ""]}
    )
    cluster.networks[network.name] = network
    for number, server in enumerate(servers):
        port = server.ports.all()[0]
        instance = Instance(
            name=f"snf-{server.pk}", os="snf-image+default", node=next(iter(cluster.node_uuids)),
            disk_template="plain", hypervisor="kvm", beparams={"vcpus": 1, "minmem": 512, "maxmem": 512},
            nics=[Nic(port.mac, f"snf-nic-{port.pk}", port.ips.all()[0].address, network.uuid)],
            disks=[Disk(10240, f"snf-vol-{server.volumes.all()[0].pk}")],
        )  # fmt: skip
        if number % EVERY:
            instance.start()
        cluster.instances[instance.name] = instance
    cluster.save()


@contextmanager
def simulated(folder: Path) -> Iterator[int]:
    """Run the simulator on a state as a process of its own; yield its port."""
    (folder / "password").write_text(PASSWORD)
    (port,) = free_ports(1)
    arguments = ["--port", str(port), "--queue-dir", folder / "queue", "--state", folder / "state.json"]
    arguments += ["--cluster-name", "localhost", "--password-file", folder / "password", "--speed", "0"]
    process = subprocess.Popen([sys.executable, "-m", "gtools.simulator", *map(str, arguments)])
    try:
        wait_until(lambda: port_answers(port), timeout=60, what="start of the simulator")
        yield port
    finally:
        process.terminate()
        process.wait()


def seconds_of(work: Callable[[], Any]) -> float:
    """Return how long *work* takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def reconcile() -> dict[str, float]:
    """Return the seconds that looking at the cluster and mending what differs takes, and how much did."""
    from cyclades.logic import reconcile_servers
    from cyclades.models import Backend
    from synnefo.credentials import Credentials

    backend = Backend.objects.get(clustername="localhost")
    found: list[Any] = []
    begun = time.process_time()
    look = seconds_of(lambda: found.extend(reconcile_servers.plan(reconcile_servers.look(backend))))
    mend = seconds_of(lambda: [reconcile_servers.fix(Credentials.administrator(), item) for item in found])
    used = time.process_time() - begun
    left = reconcile_servers.plan(reconcile_servers.look(backend))
    return {"look": look, "mend": mend, "cpu": used, "found": len(found), "left": len(left)}


def pages(token: str, seconds: float = 3.0) -> dict[str, dict[str, float]]:
    """Return, for first and later pages, requests a second of one client and their statements."""
    from django.test import Client

    from cyclades.models import Network, Server
    from tests.benchmarks.inside import queries

    servers = list(Server.objects.order_by("pk").values_list("pk", flat=True))
    networks = list(Network.objects.order_by("pk").values_list("pk", flat=True))
    compute, network = (
        "/cyclades/compute/v2.0/servers/detail?limit=100",
        "/cyclades/network/v2.0/networks?limit=100",
    )
    paths = {
        "servers, first page of 100": compute,
        "servers, page in the middle": f"{compute}&marker={servers[len(servers) // 2]}",
        "networks, first page of 100": network,
        "networks, page in the middle": f"{network}&marker={networks[len(networks) // 2]}",
    }
    counts = queries(token, list(paths.values()))
    client = Client(headers={"X-Auth-Token": token})
    results = {}
    for name, path in paths.items():
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            client.get(path)
            count += 1
        results[name] = {"rate": count / (time.perf_counter() - started), "queries": counts[path]}
    return results


def measure(servers: int) -> dict[str, Any]:
    """Return all figures, on an empty database that is set up already."""
    from django.conf import settings
    from django.db import connection

    from cyclades.ganeti import clients
    from cyclades.logic import quota_reconciliation
    from cyclades.models import Backend
    from synnefo import crypto

    token, simulated_servers = make_content(servers)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    results: dict[str, Any] = {"pages": pages(token), "recount": seconds_of(quota_reconciliation.compare)}
    with tempfile.TemporaryDirectory() as name:
        write_cluster(Path(name), simulated_servers)
        with simulated(Path(name)) as port:
            settings.RAPI_TLS_VERIFY = False
            password = crypto.encrypt(PASSWORD, clients.PASSWORD_PURPOSE)
            Backend.objects.filter(clustername="localhost").update(
                port=port, username="synnefo", password_hash=password
            )
            results["reconcile"] = reconcile()
    return results


def main() -> int:
    """Make a database, measure, print and clean up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    logging.disable(logging.WARNING)
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else SERVERS)))
    finally:
        teardown_databases(databases, verbosity=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
