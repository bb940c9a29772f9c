"""Dispatchers that are killed at any moment lose nothing and apply nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from cyclades.dispatcher import queue_tools
from cyclades.dispatcher.consumer import topology
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import quota
from cyclades.models import IPAddress, IPAddressHistory, Network, PortState, Server, ServerDiagnostic, Task
from synnefo.amqp import Client
from synnefo.messages import Progress, routing_key_of
from tests.cyclades.ganeti_fixtures import START, add_port, nic_of, op_event
from tests.markers import needs_postgres

pytestmark = [pytest.mark.fault, needs_postgres, pytest.mark.django_db(transaction=True)]

SERVERS = 20
ROUNDS = 50
KILLS = 50
ADDRESSES = 4
DEADLINE_SECONDS = 270


class Nursery:
    """Makes dispatcher processes and kills them."""

    def __init__(self, directory: Path) -> None:
        environment = os.environ | {
            "SYNNEFO_SETTINGS_DIR": str(directory),
            "DJANGO_SETTINGS_MODULE": "synnefo.settings",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.cyclades.dispatcher_nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(directory / "nursery.log").open("w"),
            text=True,
            env=environment,
        )
        self.child = 0

    def birth(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.child = int(self.process.stdout.readline())

    def kill(self, number: int) -> None:
        os.kill(self.child, number)

    def close(self) -> None:
        self.kill(signal.SIGTERM)
        self.process.stdin.close()
        self.process.wait(timeout=120)


@pytest.fixture
def amqp_hosts(tmp_path: Path) -> list[str]:
    return [f"embedded://{tmp_path}/broker.sqlite3"]


@pytest.fixture
def broker(amqp_hosts: list[str], settings) -> Iterator[Client]:
    settings.AMQP_HOSTS = amqp_hosts
    with queue_tools.connect() as client:
        topology().declare(client)
        yield client


@pytest.fixture
def nursery(broker: Client, tmp_path: Path, amqp_hosts: list[str], settings) -> Iterator[Nursery]:
    database = connection.settings_dict
    wanted = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    values = {
        "DATABASES": {"default": {name: database[name] for name in wanted}},
        "AMQP_HOSTS": amqp_hosts,
        "SECRET_KEY": settings.SECRET_KEY,
        "SECRET_ENCRYPTION_KEY": settings.SECRET_ENCRYPTION_KEY,
        "DISPATCHER_REPAIR_SECONDS": 3600,
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    (tmp_path / "10-test.conf").write_text(text)
    nursery = Nursery(tmp_path)
    yield nursery
    nursery.close()


def address(server_number: int, round_number: int) -> str:
    return f"10.0.3.{2 + server_number * ADDRESSES + round_number % ADDRESSES}"


def send_everything(broker: Client, servers: list[Server]) -> None:
    """Turn servers off and on again, give them another address each time, and say so."""
    ports = {server.pk: server.ports.get() for server in servers}
    for number in range(ROUNDS):
        opcode = (Opcode.INSTANCE_SHUTDOWN, Opcode.INSTANCE_STARTUP)[number % 2]
        for index, server in enumerate(servers):
            nics = (nic_of(ports[server.pk], ip=address(index, number)),)
            event = op_event(server, opcode, job=number + 1, at=number, instance_nics=nics)
            seconds = int(START.timestamp()) + number
            said = Progress(
                type="image-info", instance=f"snf-{server.pk}", event_time=(seconds, 0), messages=("hello",)
            )
            for message in (event, said):
                broker.publish("ganeti", routing_key_of(message), message.encode())


def waiting(broker: Client) -> int:
    return sum(broker.queue_length(binding.queue) for binding in topology().queues())


def unfinished(directory: Path) -> int:
    """Return how many messages nobody has confirmed, be they waiting or held by a dispatcher, dead or not."""
    with contextlib.closing(sqlite3.connect(directory / "broker.sqlite3", timeout=60)) as database:
        return database.execute("SELECT count(*) FROM message").fetchone()[0]


def test_fifty_kills_over_two_thousand_messages(
    nursery: Nursery, broker: Client, tmp_path: Path, make_server, person, public_network: Network
):
    servers = [make_server() for _ in range(SERVERS)]
    for server in servers:
        quota.charge_now(
            person.uuid, quota.server_deltas(server, Task.BUILD, volumes=[]), name="create", force=True
        )
        add_port(server, public_network, state=PortState.ACTIVE)
    send_everything(broker, servers)
    deadline = time.monotonic() + DEADLINE_SECONDS
    nursery.birth()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.05, 0.4))
        nursery.kill(signal.SIGKILL)
        nursery.birth()
    expected = SERVERS * ROUNDS
    while unfinished(tmp_path):
        assert time.monotonic() < deadline, f"{unfinished(tmp_path)} messages are still there"
        time.sleep(0.2)
    assert ServerDiagnostic.objects.count() == expected
    # Every address was taken once for each event and, but for the last, given back once.
    assert IPAddressHistory.objects.filter(action="associate").count() == expected
    assert IPAddressHistory.objects.filter(action="disassociate").count() == expected - SERVERS
    last = {address(index, ROUNDS - 1) for index in range(SERVERS)}
    assert set(IPAddress.objects.values_list("address", flat=True)) == last
    assert set(Server.objects.values_list("backendjobid", "operstate")) == {(ROUNDS, "STARTED")}
    assert person.usage("cyclades.cpu") == (sum(server.flavor.cpu for server in servers), 0)
    assert [broker.queue_length(b.dead_letter_queue) for b in topology().queues()] == [0] * 4


def test_a_dispatcher_that_is_asked_to_stop_finishes_its_batch(nursery: Nursery, broker: Client, make_server):
    server = make_server()
    nursery.birth()
    for number in range(200):
        event = op_event(server, Opcode.INSTANCE_REBOOT, job=number + 1, at=number)
        broker.publish("ganeti", routing_key_of(event), event.encode())
    deadline = time.monotonic() + 150
    while Server.objects.get(pk=server.pk).backendjobid is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    nursery.kill(signal.SIGTERM)
    while Path(f"/proc/{nursery.child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    done = Server.objects.get(pk=server.pk).backendjobid
    assert waiting(broker) == 200 - done
    nursery.birth()
    while Server.objects.get(pk=server.pk).backendjobid != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
