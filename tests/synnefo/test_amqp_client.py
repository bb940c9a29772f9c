"""What every message client does, whichever broker is behind it (ganeti-backend contract 4)."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synnefo.amqp import AmqpError, AmqpRefused, AmqpUnavailable, Client, connect, embedded
from synnefo.amqp.topology import Topology
from tests.lab.rabbitmq import RabbitMQ
from tests.synnefo.amqp_processes import publish_and_fork, publish_many, take_and_wait

pytestmark = pytest.mark.functional

Connect = Callable[..., Client]


@pytest.fixture(params=["embedded", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "embedded":
        return f"embedded://{tmp_path}/broker.sqlite3"
    broker: RabbitMQ = request.getfixturevalue("rabbitmq")
    return broker.url


@pytest.fixture
def open_client(broker_url: str) -> Iterator[Connect]:
    clients: list[Client] = []

    def open_one(**options: object) -> Client:
        client = connect([broker_url], **options)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield open_one
    for client in clients:
        client.close()


@pytest.fixture
def name() -> str:
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
def client(open_client: Connect, name: str) -> Client:
    """A client with a topic exchange and a queue of the same name, bound with ``a.#``."""
    client = open_client()
    client.exchange_declare(name)
    client.queue_declare(name)
    client.queue_bind(name, name, "a.#")
    return client


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_message_arrives_whole(client: Client, name: str) -> None:
    client.publish(name, "a.b", "µ".encode() * 1000, {"from-dead-letter": True, "count": 3})
    delivery = client.get(name)
    assert delivery is not None
    assert (delivery.queue, delivery.exchange, delivery.routing_key) == (name, name, "a.b")
    assert delivery.body == "µ".encode() * 1000
    assert delivery.headers == {"from-dead-letter": True, "count": 3}
    assert delivery.redelivered is False


def test_large_message_arrives(client: Client, name: str) -> None:
    body = os.urandom(3_000_000)
    client.publish(name, "a.b", body)
    delivery = client.get(name)
    assert delivery is not None and delivery.body == body


@pytest.mark.parametrize(
    ("pattern", "key", "routed"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*.c", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#", "x.y.z", True),
        ("#.c", "a.b.c", True),
        ("a.#.d", "a.d", True),
        ("a.#.d", "a.b.c.d", True),
        ("a.#.d", "a.b.c", False),
        ("*.#", "", False),
        ("#.*.x.#", "x", False),
        ("#.*.x.#", "b.x", True),
    ],
)
def test_topic_pattern_routes(open_client: Connect, name: str, pattern: str, key: str, routed: bool) -> None:
    client = open_client()
    client.exchange_declare(name)
    client.queue_declare(name, exclusive=True)
    client.queue_bind(name, name, pattern)
    client.publish(name, key, b"x")
    client.flush()
    assert client.queue_length(name) == (1 if routed else 0)


def test_queue_bound_twice_gets_a_message_once(client: Client, name: str) -> None:
    client.queue_bind(name, name, "#")
    client.publish(name, "a.b", b"x")
    assert client.queue_length(name) == 1


def test_default_exchange_addresses_a_queue(client: Client, name: str) -> None:
    client.publish("", name, b"direct")
    delivery = client.get(name)
    assert delivery is not None and delivery.body == b"direct"


def test_unrouted_message_is_dropped(client: Client, name: str) -> None:
    client.publish(name, "nobody.binds.this", b"x")
    client.flush()
    assert client.queue_length(name) == 0


def test_publish_to_unknown_exchange_is_refused(client: Client, name: str) -> None:
    with pytest.raises(AmqpRefused) as refusal:
        client.publish(f"{name}-unknown", "a", b"x")
        client.flush()
    assert refusal.value.code == 404
    client.publish(name, "a.b", b"still works")
    assert eventually(lambda: client.queue_length(name) == 1)


def test_queue_with_other_arguments_is_refused(client: Client, name: str) -> None:
    with pytest.raises(AmqpRefused) as refusal:
        client.queue_declare(name, dead_letter_exchange=name)
    assert refusal.value.code == 406


def test_unknown_queue_has_no_length(client: Client, name: str) -> None:
    with pytest.raises(AmqpRefused) as refusal:
        client.queue_length(f"{name}-unknown")
    assert refusal.value.code == 404


def test_get_of_empty_queue(client: Client, name: str) -> None:
    assert client.get(name) is None


def test_consumer_receives_in_order_and_acks(client: Client, name: str) -> None:
    deliveries = client.consume([name], prefetch=5)
    for number in range(12):
        client.publish(name, "a.b", str(number).encode())
    received = []
    for _ in range(12):
        delivery = deliveries.next_delivery(5)
        assert delivery is not None
        received.append(int(delivery.body))
        client.ack(delivery)
    assert received == list(range(12))
    assert client.next_delivery(0.1) is None


def test_prefetch_bounds_unacknowledged(client: Client, name: str) -> None:
    for number in range(5):
        client.publish(name, "a.b", str(number).encode())
    client.consume([name], prefetch=2)
    first, second = client.next_delivery(60), client.next_delivery(60)
    assert first is not None and second is not None
    assert client.next_delivery(0.3) is None
    client.ack(second, multiple=True)
    third = client.next_delivery(60)
    assert third is not None and third.body == b"2"


def test_ack_multiple_spares_later_ones(open_client: Connect, client: Client, name: str) -> None:
    for number in range(4):
        client.publish(name, "a.b", str(number).encode())
    consumer = open_client()
    consumer.consume([name])
    got = [consumer.next_delivery(5) for _ in range(4)]
    assert got[1] is not None
    consumer.ack(got[1], multiple=True)
    consumer.close()
    assert eventually(lambda: client.queue_length(name) == 2)


def test_second_ack_is_harmless(client: Client, name: str) -> None:
    client.publish(name, "a.b", b"x")
    delivery = client.get(name)
    assert delivery is not None
    client.ack(delivery)
    client.ack(delivery)
    assert client.queue_length(name) == 0


def test_requeued_message_comes_again(client: Client, name: str) -> None:
    client.publish(name, "a.b", b"x")
    delivery = client.get(name)
    assert delivery is not None
    client.reject(delivery, requeue=True)
    assert eventually(lambda: client.queue_length(name) == 1)
    again = client.get(name)
    assert again is not None and again.redelivered and again.body == b"x"


def test_rejected_message_without_dead_letter_exchange_vanishes(client: Client, name: str) -> None:
    client.publish(name, "a.b", b"x")
    delivery = client.get(name)
    assert delivery is not None
    client.reject(delivery)
    assert client.queue_length(name) == 0


def dead_letter_pair(client: Client, name: str) -> tuple[str, str]:
    client.exchange_declare(f"{name}-dl")
    client.queue_declare(f"{name}-q", dead_letter_exchange=f"{name}-dl")
    client.queue_declare(f"{name}-q-dl")
    client.queue_bind(f"{name}-q", name, "k.#")
    client.queue_bind(f"{name}-q-dl", f"{name}-dl", "k.#")
    return f"{name}-q", f"{name}-q-dl"


def test_rejected_message_is_dead_lettered(client: Client, name: str) -> None:
    queue, dead_queue = dead_letter_pair(client, name)
    client.publish(name, "k.x", b"poison", {"h": "v"})
    delivery = client.get(queue)
    assert delivery is not None
    client.reject(delivery)
    assert eventually(lambda: client.queue_length(dead_queue) == 1)
    dead = client.get(dead_queue)
    assert dead is not None
    assert (dead.exchange, dead.routing_key, dead.body) == (f"{name}-dl", "k.x", b"poison")
    assert dead.headers["h"] == "v"
    death = dead.headers["x-death"][0]
    assert (death["reason"], death["queue"], death["exchange"]) == ("rejected", queue, name)
    assert (death["routing-keys"], death["count"]) == (["k.x"], 1)
    assert dead.headers["x-first-death-queue"] == queue


def test_dead_letter_can_be_published_again(client: Client, name: str) -> None:
    queue, dead_queue = dead_letter_pair(client, name)
    client.publish(name, "k.x", b"again")
    for _ in range(2):
        delivery = client.get(queue)
        assert delivery is not None
        client.reject(delivery)
        assert eventually(lambda: client.queue_length(dead_queue) == 1)
        dead = client.get(dead_queue)
        assert dead is not None
        death = dead.headers["x-death"][0]
        client.publish(death["exchange"], death["routing-keys"][0], dead.body, dict(dead.headers))
        client.ack(dead)
    assert client.queue_length(queue) == 1


def test_closing_returns_messages(open_client: Connect, client: Client, name: str) -> None:
    client.publish(name, "a.b", b"x")
    other = open_client()
    assert other.get(name) is not None
    assert client.queue_length(name) == 0
    other.close()
    assert eventually(lambda: client.queue_length(name) == 1)
    delivery = client.get(name)
    assert delivery is not None and delivery.redelivered


def test_several_processes_share_the_broker(broker_url: str, client: Client, name: str) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = [(broker_url, name, 100 * number, 100) for number in range(3)]
    processes = [context.Process(target=publish_many, args=each) for each in arguments]
    for process in processes:
        process.start()
    client.consume([name], prefetch=20)
    told: list[int] = []
    end = time.monotonic() + 60
    while len(told) < 300 and time.monotonic() < end:
        delivery = client.next_delivery(1)
        if delivery is not None:
            told.append(int(delivery.body))
            client.ack(delivery)
    for process in processes:
        process.join(60)
    assert sorted(told) == list(range(300))
    for start in (0, 100, 200):
        own = [number for number in told if start <= number < start + 100]
        assert own == sorted(own)


def test_threads_share_a_client(client: Client, name: str) -> None:
    client.consume([name], prefetch=20)
    threads = [
        threading.Thread(target=lambda: [client.publish(name, "a.b", b"x") for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    count = 0
    end = time.monotonic() + 60
    while count < 200 and time.monotonic() < end:
        delivery = client.next_delivery(1)
        if delivery is not None:
            count += 1
            client.ack(delivery)
    for thread in threads:
        thread.join(180)
    assert count == 200


def test_forked_child_gets_a_connection_of_its_own(broker_url: str, client: Client, name: str) -> None:
    # In a program that has no threads but the client's own.
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=publish_and_fork, args=(broker_url, name))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert eventually(lambda: client.queue_length(name) == 3)


@pytest.mark.parametrize("quorum", [False, True])
def test_quorum_is_an_option(client: Client, name: str, quorum: bool) -> None:
    queue, dead_queue = f"{name}-x", f"{name}-x-dl"
    client.exchange_declare(f"{name}-dl")
    client.queue_declare(dead_queue, quorum=quorum)
    client.queue_declare(queue, dead_letter_exchange=f"{name}-dl", quorum=quorum)
    client.queue_bind(queue, name, "z")
    client.queue_bind(dead_queue, f"{name}-dl", "z")
    client.publish(name, "z", b"x")
    assert eventually(lambda: client.queue_length(queue) == 1)
    delivery = client.get(queue)
    assert delivery is not None
    client.reject(delivery)
    assert eventually(lambda: client.queue_length(dead_queue) == 1)


def test_killed_consumer_loses_nothing(broker_url: str, client: Client, name: str) -> None:
    client.publish(name, "a.b", b"precious")
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=take_and_wait, args=(broker_url, name, ready))
    process.start()
    assert ready.wait(30)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert eventually(lambda: client.queue_length(name) == 1)
    delivery = client.get(name)
    assert delivery is not None and delivery.redelivered and delivery.body == b"precious"


def test_exclusive_queue_vanishes_with_its_client(open_client: Connect, client: Client, name: str) -> None:
    other = open_client()
    other.queue_declare(f"{name}-own", exclusive=True)
    other.close()

    def gone() -> bool:
        try:
            client.queue_length(f"{name}-own")
        except AmqpError as error:
            return isinstance(error, AmqpRefused) and error.code == 404
        return False

    assert eventually(gone)


def test_unused_queue_expires(client: Client, name: str) -> None:
    client.queue_declare(f"{name}-short", expires_ms=700)

    def gone() -> bool:
        time.sleep(1.5)
        try:
            return client.get(f"{name}-short") is not None
        except AmqpRefused as error:
            return error.code == 404

    assert eventually(gone)


def test_cancel_gives_back_what_was_not_handed_out(client: Client, name: str) -> None:
    for _ in range(3):
        client.publish(name, "a.b", b"x")
    client.consume([name])
    delivery = client.next_delivery(60)
    assert delivery is not None
    client.cancel()
    client.ack(delivery)
    assert eventually(lambda: client.queue_length(name) == 2)


def test_purge_and_delete(client: Client, name: str) -> None:
    for _ in range(3):
        client.publish(name, "a.b", b"x")
    client.flush()
    with pytest.raises(AmqpRefused) as refusal:
        client.queue_delete(name, only_idle=True)
    assert refusal.value.code == 406
    assert client.queue_purge(name) == 3
    client.queue_delete(name, only_idle=True)
    with pytest.raises(AmqpRefused):
        client.queue_length(name)


def test_embedded_publish_is_bounded_while_the_file_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broker.sqlite3"
    monkeypatch.setattr(embedded, "HOUSEKEEPING_SECONDS", 0.0)
    monkeypatch.setattr(embedded, "BUSY_SECONDS", 300.0)
    with connect([f"embedded://{path}"]) as client:
        client.exchange_declare("e")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            start = time.monotonic()
            with pytest.raises(AmqpUnavailable):
                client.publish("e", "k", b"x", timeout=0.5)
            assert time.monotonic() - start < 60.0
        client.publish("e", "k", b"x", timeout=60)


def test_embedded_client_that_waits_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broker.sqlite3"
    monkeypatch.setattr(embedded, "HOUSEKEEPING_SECONDS", 0.0)
    with connect([f"embedded://{path}"]) as client:
        client.queue_declare("q", expires_ms=600_000)
        client.consume(["q"])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            changes = "PRAGMA data_version"
            before = other.execute(changes).fetchone()
            assert client.next_delivery(0.2) is None
            assert other.execute(changes).fetchone() == before
            other.execute("UPDATE queue SET used = used - 61")
            assert client.next_delivery(0.2) is None
            assert other.execute("SELECT used > unixepoch() - 60 FROM queue").fetchone() == (1,)
        # Its own messages reach it too.
        client.publish("", "q", b"x")
        assert client.next_delivery(60) is not None


def test_confirm_buffer_is_flushed(open_client: Connect, client: Client, name: str) -> None:
    publisher = open_client(confirm_buffer=25)
    for _ in range(60):
        publisher.publish(name, "a.b", b"x")
    publisher.flush(timeout=60)
    assert publisher.pending_count() == 0
    assert client.queue_length(name) == 60


def test_consumer_waits_for_a_late_message(open_client: Connect, client: Client, name: str) -> None:
    client.consume([name])
    start = time.monotonic()
    assert client.next_delivery(0.3) is None
    assert time.monotonic() - start > 0.25
    open_client().publish(name, "a.b", b"late")
    delivery = client.next_delivery(60)
    assert delivery is not None and delivery.body == b"late"


def test_topology_can_be_declared_twice(open_client: Connect) -> None:
    client = open_client()
    topology = Topology(prefix="tst-", exchange=f"g{secrets.token_hex(4)}")
    # The queue names are fixed, so leftovers of another exchange would have other arguments.
    for binding in topology.queues():
        client.queue_delete(binding.queue)
        client.queue_delete(binding.dead_letter_queue)
    topology.declare(client)
    topology.declare(client)
    client.publish(topology.exchange, "ganeti.tst.event.op", b"x")
    client.publish(topology.exchange, "ganeti.event.cluster", b"x")
    client.publish(topology.exchange, "ganeti.web1.event.op", b"x")
    assert eventually(lambda: client.queue_length("tst-events-op") == 1)
    assert client.queue_length("tst-events-cluster") == 1
    assert client.queue_length("tst-events-network") == 0
