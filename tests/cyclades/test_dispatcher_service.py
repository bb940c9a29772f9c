"""The dispatcher as a process, and what administrators ask of its queues."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from cyclades.dispatcher import main, queue_tools
from cyclades.dispatcher.consumer import topology
from cyclades.dispatcher.service import Dispatcher
from cyclades.ganeti.opcodes import Opcode
from cyclades.models import Server, ServerState
from synnefo import amqp
from synnefo.amqp import Client
from synnefo.messages import Heartbeat, event_time_now, routing_key_of
from tests.cyclades.ganeti_fixtures import op_event

pytestmark = [pytest.mark.functional]

DEADLINE_SECONDS = 120


def until(condition) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def embedded(tmp_path, settings) -> Iterator[Client]:
    settings.AMQP_HOSTS = [f"embedded://{tmp_path}/broker.sqlite3"]
    with queue_tools.connect() as client:
        topology().declare(client)
        yield client


@pytest.fixture
def running(settings, tmp_path) -> Iterator[Dispatcher]:
    """A dispatcher in a thread, whose settings a test has made."""
    settings.DISPATCHER_HEALTH_FILE = str(tmp_path / "health")
    dispatcher = Dispatcher()

    def run() -> None:
        try:
            dispatcher.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield dispatcher
    dispatcher.stop()
    thread.join(timeout=DEADLINE_SECONDS)
    assert not thread.is_alive()


def send(client: Client, server: Server, opcode: str, number: int) -> None:
    event = op_event(server, opcode, job=number, at=number)
    client.publish("ganeti", routing_key_of(event), event.encode())
    client.flush()


@pytest.mark.django_db(transaction=True)
def test_it_consumes_reports_health_and_stops(embedded, make_server, request, tmp_path):
    server = make_server()
    request.getfixturevalue("running")
    send(embedded, server, Opcode.INSTANCE_SHUTDOWN, 1)
    until(lambda: Server.objects.get(pk=server.pk).operstate == ServerState.STOPPED)
    until((tmp_path / "health").exists)
    assert time.time() - (tmp_path / "health").stat().st_mtime < DEADLINE_SECONDS


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_it_survives_a_restart_of_rabbitmq(rabbitmq, settings, make_server, request):
    settings.AMQP_HOSTS = [rabbitmq.url]
    settings.EXCHANGE_GANETI = f"ganeti-{os.getpid()}"
    settings.BACKEND_PREFIX_ID = "snf-"
    server = make_server()
    with queue_tools.connect() as client:
        topology().declare(client)
        request.getfixturevalue("running")

        def publish(opcode: str, number: int) -> None:
            event = op_event(server, opcode, job=number, at=number)
            client.publish(settings.EXCHANGE_GANETI, routing_key_of(event), event.encode())
            client.flush()

        publish(Opcode.INSTANCE_SHUTDOWN, 1)
        until(lambda: Server.objects.get(pk=server.pk).operstate == ServerState.STOPPED)
        rabbitmq.stop()
        rabbitmq.start()
        publish(Opcode.INSTANCE_STARTUP, 2)
        until(lambda: Server.objects.get(pk=server.pk).operstate == ServerState.STARTED)


@pytest.mark.django_db(transaction=True)
def test_a_status_check_reaches_dispatcher_rapi_and_event_daemon(
    embedded, backend, cluster, request, tmp_path, capsys
):
    def answer(method: str) -> None:
        if method == "AddClusterTags":
            heartbeat = Heartbeat(
                operation="OP_TAGS_SET",
                status="waiting",
                job_id=1,
                event_time=event_time_now(),
                cluster=backend.clustername,
            )
            with queue_tools.connect() as client:
                client.publish("ganeti", routing_key_of(heartbeat), heartbeat.encode())
                client.flush()

    cluster.before_call = answer
    request.getfixturevalue("running")
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{os.getpid()}\n")
    until(lambda: _exists(embedded, topology().dispatcher_queue(_host(), os.getpid())))
    assert queue_tools.status_check(str(pid_file)) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"dispatcher pid: {os.getpid()}",
        "AMQP -> dispatcher: ok",
        f"{backend.clustername}: RAPI: ok",
        f"{backend.clustername}: eventd: ok",
    ]


def _host() -> str:
    import socket

    return socket.getfqdn()


def _exists(client: Client, queue: str) -> bool:
    try:
        client.queue_length(queue)
    except amqp.AmqpRefused:
        return False
    return True


def test_without_a_dispatcher_the_status_check_fails(tmp_path, capsys):
    assert queue_tools.status_check(str(tmp_path / "missing")) == 1


def test_two_dispatchers_do_not_share_a_pid_file(tmp_path, monkeypatch):
    path = str(tmp_path / "run" / "pid")
    monkeypatch.setattr(Dispatcher, "run", lambda self: None)
    with main._pid_file(path):
        assert int((tmp_path / "run" / "pid").read_text()) == os.getpid()
        assert main._serve(path) == 1


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_a_queue_is_drained_only_after_a_yes(embedded, monkeypatch, answer, left):
    embedded.publish("ganeti", "ganeti.snf.event.op", b"{}")
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert queue_tools.drain("snf-events-op") == left
    assert embedded.queue_length("snf-events-op") == left


def test_queues_with_messages_are_not_purged(embedded, monkeypatch):
    embedded.publish("ganeti", "ganeti.snf.event.op", b"{}")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert queue_tools.purge(exchanges=True) == 1
    assert embedded.queue_length("snf-events-op") == 1
    assert not _exists(embedded, "snf-events-network")


@pytest.mark.parametrize("quorum", [False, True])
def test_empty_queues_and_then_the_exchanges_are_purged(embedded, settings, monkeypatch, quorum):
    settings.AMQP_QUORUM_QUEUES = quorum
    topology().declare(embedded)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert queue_tools.purge(exchanges=True) == 0
    assert not any(_exists(embedded, binding.queue) for binding in topology().queues())
    with pytest.raises(amqp.AmqpRefused):
        embedded.publish("ganeti", "ganeti.snf.event.op", b"{}")


def test_replicated_queues_have_names_of_their_own(settings):
    settings.AMQP_QUORUM_QUEUES = True
    assert topology().queues()[0].dead_letter_queue == "snf-events-op-q-dl"


def test_inspected_messages_stay_unless_told_otherwise(embedded, capsys, monkeypatch):
    embedded.publish("ganeti", "ganeti.snf.event.op", b'{"a": 1}')
    embedded.publish("ganeti", "ganeti.snf.event.op", b"\xff")
    call_command("queue-inspect", "snf-events-op")
    assert json.loads(capsys.readouterr().out.split("}\n{")[0] + "}")["body"] == {"a": 1}
    assert embedded.queue_length("snf-events-op") == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nn\n"))
    call_command("queue-inspect", "snf-events-op", "-i")
    assert embedded.queue_length("snf-events-op") == 1
    call_command("queue-inspect", "snf-events-op", "--no-requeue")
    assert embedded.queue_length("snf-events-op") == 0
    with pytest.raises(CommandError, match="unknown"):
        call_command("queue-inspect", "unknown")


def test_retrying_reports_every_queue(embedded, capsys):
    call_command("queue-retry", "--output-format", "json")
    assert [row["queue"] for row in json.loads(capsys.readouterr().out)] == [
        binding.dead_letter_queue for binding in topology().queues()
    ]
