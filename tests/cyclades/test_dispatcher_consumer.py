"""The dispatcher between broker and database: batches, failures, redelivery, several at once."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from django.db import OperationalError, connections

from cyclades.dispatcher import handlers, queue_tools
from cyclades.dispatcher.consumer import Consumer, DatabaseAway, topology
from cyclades.dispatcher.row_updates import update_rows
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import server_events
from cyclades.models import PortState, Server, ServerState, Task, VolumeStatus
from synnefo import amqp
from synnefo.errors import SynnefoError
from synnefo.messages import ClusterStatus, Progress, routing_key_of
from tests.cyclades.ganeti_fixtures import (
    START,
    add_port,
    add_volume,
    disk_of,
    network_event,
    nic_of,
    op_event,
)
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, pytest.mark.django_db]

STARTUP, SHUTDOWN = Opcode.INSTANCE_STARTUP, Opcode.INSTANCE_SHUTDOWN


@pytest.fixture
def broker(tmp_path, settings):
    settings.AMQP_HOSTS = [f"embedded://{tmp_path}/broker.sqlite3"]
    settings.DISPATCHER_BATCH_MILLISECONDS = 200
    with queue_tools.connect() as client:
        topology().declare(client)
        yield client


@pytest.fixture
def consumer(broker, settings):
    with amqp.connect(settings.AMQP_HOSTS) as client:
        yield Consumer(client)


def send(broker, *messages) -> None:
    for message in messages:
        broker.publish("ganeti", routing_key_of(message), message.encode())
    broker.flush()


def state(server: Server) -> str:
    return Server.objects.get(pk=server.pk).operstate


def waiting(broker) -> tuple[int, int]:
    """Messages in the queue of instance events and in its dead-letter queue."""
    return broker.queue_length("snf-events-op"), broker.queue_length("snf-events-op-dl")


def test_a_batch_is_applied_in_order_and_acknowledged(broker, consumer, make_server):
    one, two = make_server(), make_server()
    send(
        broker,
        op_event(one, SHUTDOWN, "running", job=5, at=1),
        op_event(two, SHUTDOWN, job=6, at=1),
        op_event(one, SHUTDOWN, job=5, at=2),
    )
    assert consumer.run_once(1) == 3
    assert (state(one), state(two)) == (ServerState.STOPPED, ServerState.STOPPED)
    assert waiting(broker) == (0, 0)


def test_a_batch_locks_its_rows_once(broker, consumer, make_server, django_assert_max_num_queries):
    servers = [make_server() for _ in range(10)]
    send(broker, *(op_event(server, SHUTDOWN, "running", job=5) for server in servers))
    consumer.subscribe()
    # The transaction (two statements, three on PostgreSQL), one lock of all rows, one update.
    with django_assert_max_num_queries(5):
        assert consumer.run_once(1) == 10


def test_ends_of_jobs_that_change_nothing_else_cost_the_same_however_many(
    broker, consumer, make_server, person, public_network, django_assert_max_num_queries
):
    servers = [make_server() for _ in range(10)]
    devices = {}
    for server in servers:
        volume = add_volume(server, status=VolumeStatus.IN_USE)
        port = add_port(server, public_network, state=PortState.ACTIVE)
        devices[server.pk] = {"instance_nics": (nic_of(port, ip=None),), "instance_disks": (disk_of(volume),)}
        send(broker, op_event(server, Opcode.INSTANCE_REBOOT, job=5, **devices[server.pk]))
    assert consumer.run_once(1) == 10
    for server in servers:
        send(broker, op_event(server, Opcode.INSTANCE_REBOOT, job=6, at=1, **devices[server.pk]))
    # The transaction and one lock; intents, ports, addresses, subnets and volumes; one update.
    with django_assert_max_num_queries(10):
        assert consumer.run_once(1) == 10
    assert set(Server.objects.values_list("backendjobid", flat=True)) == {6}
    assert waiting(broker) == (0, 0)


def test_an_instance_of_the_same_name_on_another_cluster_is_nobodys(broker, consumer, make_server):
    server = make_server(task=Task.STOP, task_job_id=5)
    stranger = replace(op_event(server, Opcode.INSTANCE_REMOVE, job=5), cluster="other.example")
    send(broker, stranger)
    assert consumer.run_once(1) == 1
    server.refresh_from_db()
    assert (server.deleted, server.task, waiting(broker)) == (False, Task.STOP, (0, 0))


def test_what_is_no_message_is_dropped(broker, consumer, make_server):
    server = make_server()
    for body in (b"", b"{}", b"\xff", b"[1]", b'{"type":"ganeti-op-status"}', b'{"type":"other"}'):
        broker.publish("ganeti", "ganeti.snf.event.op", body)
    send(broker, op_event(server, SHUTDOWN))
    consumer.run_once(1)
    assert state(server) == ServerState.STOPPED
    assert waiting(broker) == (0, 0)


def test_what_can_not_be_applied_is_kept_aside_and_stops_nobody(broker, consumer, make_server):
    bad, good = make_server(), make_server()
    send(
        broker,
        op_event(bad, Opcode.INSTANCE_SET_PARAMS, job_fields={"beparams": {"vcpus": 31}}),
        op_event(good, SHUTDOWN),
        op_event(bad, SHUTDOWN, at=1, job=101),
    )
    consumer.run_once(1)
    assert (state(bad), state(good)) == (ServerState.STOPPED, ServerState.STOPPED)
    assert waiting(broker) == (0, 1)


def test_a_failed_message_leaves_nothing_half_done(
    broker, consumer, make_server, public_network, monkeypatch
):
    server = make_server(task=Task.STOP, task_job_id=100)
    port = add_port(server, public_network, state=PortState.BUILD)

    def fail(*_args, **_kwargs):
        raise SynnefoError("in the middle")

    monkeypatch.setattr("cyclades.logic.server_charges.settle", fail)
    send(broker, op_event(server, SHUTDOWN, instance_nics=(nic_of(port, ip=None),)))
    consumer.run_once(1)
    port.refresh_from_db()
    assert port.state == PortState.BUILD
    assert Server.objects.get().backendjobid is None
    assert waiting(broker) == (0, 1)


def test_foreign_and_deleted_instances_are_ignored(broker, consumer, make_server):
    gone = make_server(deleted=True, operstate=ServerState.DESTROYED)
    unknown = make_server()
    Server.objects.filter(pk=unknown.pk).delete()
    send(broker, op_event(gone, STARTUP), op_event(unknown, STARTUP))
    assert consumer.run_once(1) == 2
    assert state(gone) == ServerState.DESTROYED
    assert waiting(broker) == (0, 0)


def test_what_was_not_acknowledged_comes_again_and_is_not_applied_twice(
    broker, consumer, settings, make_server
):
    server = make_server()
    send(broker, op_event(server, SHUTDOWN))
    consumer.client.ack = lambda *_a, **_k: None
    consumer.run_once(1)
    consumer.client.close()
    Server.objects.update(operstate=ServerState.STARTED)
    with amqp.connect(settings.AMQP_HOSTS) as client:
        assert Consumer(client).run_once(2) == 1
    assert state(server) == ServerState.STARTED
    assert waiting(broker) == (0, 0)


def test_a_database_that_is_away_loses_nothing(broker, consumer, settings, make_server, monkeypatch):
    server = make_server()
    send(broker, op_event(server, SHUTDOWN), op_event(server, STARTUP, at=1, job=101))

    def away(*_args):
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "lock", away)
        patch.setattr("cyclades.dispatcher.consumer.connection", type("C", (), {"close": lambda: None}))
        with pytest.raises(DatabaseAway):
            consumer.run_once(1)
    consumer.client.close()
    with amqp.connect(settings.AMQP_HOSTS) as client:
        assert Consumer(client).run_once(2) == 2
    assert state(server) == ServerState.STARTED


def test_a_batch_that_hits_a_deadlock_is_done_one_by_one(broker, consumer, make_server, monkeypatch):
    servers = [make_server() for _ in range(3)]
    send(broker, *(op_event(server, SHUTDOWN) for server in servers))
    original = handlers.lock

    def deadlock(works):
        if len(list(works)) > 1:
            raise OperationalError("database is locked")
        return original(works)

    monkeypatch.setattr(handlers, "lock", deadlock)
    consumer.run_once(1)
    assert {state(server) for server in servers} == {ServerState.STOPPED}
    assert waiting(broker) == (0, 0)


def test_a_dead_letter_can_be_tried_again_once(broker, consumer, make_server, monkeypatch):
    server = make_server()
    send(broker, op_event(server, SHUTDOWN))
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "apply", lambda *_: (_ for _ in ()).throw(SynnefoError("not now")))
        consumer.run_once(1)
        assert waiting(broker) == (0, 1)
        notes: list[str] = []
        queue_tools.retry(broker, keep_zombies=False, note=notes.append)
        assert waiting(broker) == (1, 0)
        consumer.run_once(1)
    assert waiting(broker) == (0, 1)
    queue_tools.retry(broker, keep_zombies=False, note=notes.append)
    assert waiting(broker) == (0, 0)
    assert "died before" in notes[-1]


def test_a_retried_dead_letter_is_applied(broker, consumer, make_server, monkeypatch):
    server = make_server()
    send(broker, op_event(server, SHUTDOWN))
    with monkeypatch.context() as patch:
        patch.setattr(handlers, "apply", lambda *_: (_ for _ in ()).throw(SynnefoError("not now")))
        consumer.run_once(1)
    queue_tools.retry(broker, keep_zombies=False, note=lambda _: None)
    consumer.run_once(1)
    assert state(server) == ServerState.STOPPED


def test_a_failed_removal_asks_ganeti_before_it_locks(broker, consumer, make_server, cluster):
    present, missing = make_server(), make_server()
    cluster.instances[f"snf-{present.pk}"] = {}
    send(
        broker,
        op_event(present, Opcode.INSTANCE_REMOVE, "error"),
        op_event(missing, Opcode.INSTANCE_REMOVE, "error"),
    )
    consumer.run_once(1)
    assert [Server.objects.get(pk=s.pk).deleted for s in (present, missing)] == [False, True]


def test_a_connected_network_becomes_active(broker, consumer, backend, public_network):
    send(
        broker,
        network_event(public_network, backend, "OP_NETWORK_ADD", at=1),
        network_event(public_network, backend, "OP_NETWORK_CONNECT", at=2),
    )
    assert consumer.run_once(1) == 2
    assert public_network.backend_networks.get().operstate == "ACTIVE"


def test_a_changed_cluster_is_read_again(broker, consumer, backend, cluster):
    message = ClusterStatus(
        operation="OP_CLUSTER_SET_PARAMS",
        status="success",
        job_id=1,
        event_time=(int(START.timestamp()), 0),
        cluster=backend.clustername,
    )
    send(broker, message)
    consumer.run_once(1)
    backend.refresh_from_db()
    assert backend.disk_templates == ["plain", "drbd"]


def progress(server: Server, kind: str, seconds: int, **values) -> Progress:
    return Progress(
        type=kind,
        instance=f"snf-{server.pk}",
        event_time=(int(START.timestamp()) + seconds, 0),
        **values,
    )


def test_progress_never_hides_the_end_of_the_build(broker, consumer, make_server):
    server = make_server(operstate=ServerState.BUILD, task=Task.BUILD, task_job_id=100)
    send(broker, progress(server, "image-copy-progress", 3600, progress=41.5))
    consumer.run_once(1)
    send(broker, op_event(server, Opcode.INSTANCE_CREATE))
    consumer.run_once(1)
    server.refresh_from_db()
    assert (server.buildpercentage, server.operstate) == (41, ServerState.STARTED)


@pytest.mark.parametrize(("sent", "stored"), [(100.7, 100), (340.0, 100), (-3.0, 0)])
def test_progress_stays_a_percentage(broker, consumer, make_server, sent, stored):
    server = make_server(operstate=ServerState.BUILD)
    send(broker, progress(server, "image-copy-progress", 1, progress=sent))
    consumer.run_once(1)
    server.refresh_from_db()
    assert server.buildpercentage == stored


@pytest.mark.parametrize(
    ("values", "level", "source", "message"),
    [
        ({"kind": "image-error", "stderr": "boom"}, "ERROR", "image-error", "Image error"),
        ({"kind": "image-warning", "messages": ("a", "b")}, "WARNING", "image-warning", "a b"),
        ({"kind": "image-info", "messages": ("x" * 300,)}, "DEBUG", "image-info", "x" * 255),
        (
            {"kind": "image-helper", "subtype": "task-start", "task": "InstallGrub"},
            "DEBUG",
            "image-helper-task-start",
            "InstallGrub",
        ),
        (
            {"kind": "image-helper", "subtype": "info", "messages": ("a",)},
            "INFO",
            "image-helper",
            "a",
        ),
        (
            {"kind": "image-helper", "subtype": "error", "messages": ()},
            "ERROR",
            "image-helper",
            "Image helper",
        ),
    ],
)
def test_diagnostics_keep_what_the_deployment_says(
    broker, consumer, make_server, values, level, source, message
):
    server = make_server(operstate=ServerState.BUILD)
    send(broker, progress(server, values.pop("kind"), 1, **values))
    consumer.run_once(1)
    row = server.diagnostics.get()
    assert (row.level, row.source, row.message) == (level, source, message)
    # Clients that ask for what changed get the server with its newest message.
    assert Server.objects.get(pk=server.pk).updated > server.updated


@needs_postgres
@pytest.mark.django_db(transaction=True)
def test_dispatchers_side_by_side_apply_every_message_once(broker, settings, make_server, person):
    settings.DISPATCHER_BATCH_SIZE = 5
    settings.DISPATCHER_PREFETCH = 5
    servers = [make_server() for _ in range(4)]
    events = [
        op_event(server, (SHUTDOWN, STARTUP)[number % 2], job=100 + number, at=number)
        for number in range(25)
        for server in servers
    ]
    send(broker, *events)

    def consume() -> None:
        try:
            with amqp.connect(settings.AMQP_HOSTS) as client:
                consumer = Consumer(client)
                while consumer.run_once(1):
                    pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=consume) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=180)
    assert waiting(broker) == (0, 0)
    for server in servers:
        server.refresh_from_db()
        assert (server.operstate, server.backendjobid) == (ServerState.STOPPED, 124)


def test_one_update_writes_many_rows_with_values_of_their_own(make_server, django_assert_num_queries):
    servers = [make_server() for _ in range(3)]
    for number, server in enumerate(servers):
        server.backendjobid = number or None
        server.backendlogmsg = f"it's %s {number}"
        server.backendtime = START if number else None
        server.buildpercentage = number
    columns = ["backendjobid", "backendlogmsg", "backendtime", "buildpercentage"]
    with django_assert_num_queries(1):
        update_rows(servers, columns)
    stored = Server.objects.order_by("pk").values_list(*columns)
    assert list(stored) == [
        (None, "it's %s 0", None, 0),
        (1, "it's %s 1", START, 1),
        (2, "it's %s 2", START, 2),
    ]


def test_values_that_the_database_refuses_stop_only_their_message(broker, consumer, make_server, monkeypatch):
    bad, good = make_server(), make_server()
    record = server_events._record

    def record_nonsense(server, event):
        record(server, event)
        if server.pk == bad.pk:
            server.backendjobstatus = None

    monkeypatch.setattr(server_events, "_record", record_nonsense)
    send(
        broker,
        op_event(bad, SHUTDOWN, "running", job=5),
        op_event(good, SHUTDOWN, "running", job=5),
        op_event(good, SHUTDOWN, job=5, at=1),
    )
    consumer.run_once(1)
    assert state(good) == ServerState.STOPPED
    assert waiting(broker) == (0, 1)
