"""Messages a second that one dispatcher applies, with the database, without and with a broker.

``python -m tests.benchmarks.bench_dispatcher`` makes a database of its own and prints a table.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

SERVERS = 100
MESSAGES = 2000


class Memory:
    """The part of a broker's client that the consumer uses, with everything in memory."""

    def __init__(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        from synnefo.amqp import Delivery

        self.waiting = deque(
            Delivery("snf-events-op", "ganeti", key, body, {}, False, tag)
            for tag, (key, body) in enumerate(bodies, 1)
        )
        self.rejected = 0

    def exchange_declare(self, *_args: Any, **_kwargs: Any) -> None: ...

    queue_declare = queue_bind = consume = ack = exchange_declare

    def reject(self, *_args: Any, **_kwargs: Any) -> None:
        self.rejected += 1

    def next_delivery(self, _timeout: float | None = None) -> Any:
        return self.waiting.popleft() if self.waiting else None


def make_servers() -> list[Any]:
    """Return started servers of one user, each with a port and a disk."""
    from cyclades.models import Backend, Flavor, Network, Port, Server, Subnet, Volume, VolumeType
    from synnefo import clock

    backend = Backend.objects.create(clustername="cluster.example", updated=clock.now())
    kind = VolumeType.objects.create(name="plain", disk_template="plain")
    flavor = Flavor.objects.create(cpu=1, ram=512, disk=10, volume_type=kind)
    network = Network.objects.create(name="n", flavor="CUSTOM", mac_prefix="aa:00:0", public=True)
    Subnet.objects.create(network=network, ipversion=4, cidr="10.0.0.0/16")
    user = make_user()
    servers = []
    for number in range(SERVERS):
        server = Server.objects.create(
            name=f"s{number}", userid=user, project=user, backend=backend, flavor=flavor, imageid="i",
            operstate="STARTED",
        )  # fmt: skip
        Port.objects.create(machine=server, network=network, userid=user, state="ACTIVE")
        Volume.objects.create(
            machine=server, userid=user, project=user, size=10, volume_type=kind, index=0, status="IN_USE"
        )
        servers.append(server)
    return servers


def make_user() -> str:
    """Return a user with quota and usage for all servers."""
    from astakos import public as astakos
    from astakos.models import Resource
    from cyclades.logic.registration import COMPONENT, service_definitions

    astakos.register_component(
        name=COMPONENT, base_url="http://b/cyclades", ui_url="http://b/ui", services=service_definitions()
    )
    Resource.objects.update(uplimit=1 << 60)
    user = astakos.create_user(email="b@b.example", password="a-password", first_name="B", last_name="B")
    provisions = astakos.charge(
        user.uuid, user.uuid, {"cyclades.cpu": SERVERS, "cyclades.ram": SERVERS << 29}
    )
    astakos.issue_commission(clientkey="cyclades", name="bench", provisions=provisions, auto_accept=True)
    return user.uuid


def bodies(servers: Sequence[Any], kind: str, first: int) -> list[tuple[str, bytes]]:
    """Return the messages of one workload; *first* is the time in seconds they begin at."""
    from synnefo.messages import OpStatus, Progress, routing_key_of

    result = []
    for number in range(MESSAGES):
        server = servers[number % len(servers)]
        moment = (1_800_000_000 + first + number, 0)
        name = f"snf-{server.pk}"
        message: Any
        if kind == "progress":
            message = Progress(
                type="image-copy-progress", instance=name, event_time=moment, progress=number % 100
            )
        else:
            message = op_message(OpStatus, server, number // len(servers), kind, moment, first + number)
        result.append((routing_key_of(message), message.encode()))
    return result


def op_message(
    make: Any, server: Any, round_number: int, kind: str, moment: tuple[int, int], job: int
) -> Any:
    """Return a status of an instance job; the final ones turn servers off and on, with their devices."""
    from synnefo.messages import InstanceDisk, InstanceNic

    common = {
        "job_id": job,
        "event_time": moment,
        "cluster": "cluster.example",
        "instance": f"snf-{server.pk}",
    }
    if kind == "running":
        return make(operation="OP_INSTANCE_REBOOT", status="running", **common)
    port, volume = server.ports.all()[0], server.volumes.all()[0]
    nic = InstanceNic(
        name=f"snf-nic-{port.pk}", network=f"snf-net-{port.network_id}", mac=f"aa:{port.pk:04d}"
    )
    return make(
        operation=("OP_INSTANCE_SHUTDOWN", "OP_INSTANCE_STARTUP")[round_number % 2],
        status="success",
        instance_nics=(nic,),
        instance_disks=(InstanceDisk(name=f"snf-vol-{volume.pk}", size=10240),),
        **common,
    )


def rate_of(client: Any) -> float:
    """Return messages a second until the client's queues are empty."""
    from cyclades.dispatcher.consumer import Consumer

    consumer = Consumer(client)
    started = time.perf_counter()
    done = 0
    while done < MESSAGES:
        done += consumer.run_once(0.5)
    return done / (time.perf_counter() - started)


def measure() -> dict[str, float]:
    """Return messages a second of each workload, on an empty database that is set up already."""
    from synnefo import amqp
    from synnefo.amqp.topology import Topology

    servers = make_servers()
    results: dict[str, float] = {}
    start = 0
    for kind in ("running", "progress", "final"):
        results[f"dispatcher {kind}, in memory"] = rate_of(Memory(bodies(servers, kind, start)))
        start += 10 * MESSAGES
    with (
        tempfile.TemporaryDirectory() as folder,
        amqp.connect([f"embedded://{folder}/broker.sqlite3"]) as client,
    ):
        Topology().declare(client)
        for key, body in bodies(servers, "final", start):
            client.publish("ganeti", key, body)
        results["dispatcher final, embedded broker"] = rate_of(client)
    return results


def main() -> int:
    """Make a database, measure, print and clean up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        for name, value in measure().items():
            print(f"{name:42} {value:8.0f} messages/s")
    finally:
        teardown_databases(databases, verbosity=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
