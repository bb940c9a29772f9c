"""The RabbitMQ client while brokers die, hang and come back (ganeti-backend contract 4)."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from synnefo.amqp import AmqpUnavailable, Client, connect
from tests.conftest import started
from tests.lab.instance import wait_until
from tests.lab.rabbitmq import RabbitMQ

pytestmark = pytest.mark.fault


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """The node that all share, which runs again after a test that failed."""
    yield rabbitmq
    rabbitmq.revive()


@pytest.fixture
def name() -> str:
    return f"t{secrets.token_hex(4)}"


def prepared(client: Client, name: str) -> Client:
    client.exchange_declare(name)
    client.queue_declare(name)
    client.queue_bind(name, name, "#")
    return client


def test_publisher_and_consumer_survive_a_restart(broker: RabbitMQ, name: str) -> None:
    with (
        connect([broker.url], max_attempts=0, confirm_buffer=25) as publisher,
        connect([broker.url]) as consumer,
    ):
        prepared(publisher, name)
        consumer.consume([name], prefetch=10)
        for number in range(30):
            publisher.publish(name, "k", str(number).encode())
        publisher.flush()
        first = consumer.next_delivery(60)
        assert first is not None
        broker.kill()
        broker.restart()
        for number in range(30, 60):
            publisher.publish(name, "k", str(number).encode())
        publisher.flush(timeout=120)
        consumer.ack(first)  # of the lost connection: without effect, the message comes again
        told: set[int] = set()
        end = time.monotonic() + 120
        while len(told) < 60 and time.monotonic() < end:
            delivery = consumer.next_delivery(1)
            if delivery is not None:
                told.add(int(delivery.body))
                consumer.ack(delivery)
        assert told == set(range(60))


def test_publish_to_a_hanging_broker_is_bounded(broker: RabbitMQ, name: str) -> None:
    with connect([broker.url]) as client:
        prepared(client, name)
        client.publish(name, "k", b"before")
        broker.pause()
        try:
            for _ in range(3):
                start = time.monotonic()
                with pytest.raises(AmqpUnavailable):
                    client.publish(name, "k", b"meanwhile", timeout=1.0)
                assert time.monotonic() - start < 60
            assert client.pending_count() == 0
        finally:
            broker.resume()
        client.publish(name, "k", b"after", timeout=60)


def test_broker_without_memory_is_unavailable(broker: RabbitMQ, name: str) -> None:
    with connect([broker.url], confirm_buffer=10) as client:
        prepared(client, name)
        broker.control("set_vm_memory_high_watermark", "absolute", "1")
        try:
            # The broker learns of its alarm a little after it was asked to.
            end = time.monotonic() + 60
            with pytest.raises(AmqpUnavailable):
                while time.monotonic() < end:
                    client.publish(name, "k", b"x", timeout=1.0)
        finally:
            broker.control("set_vm_memory_high_watermark", "absolute", "512MB")
        client.publish(name, "k", b"x", timeout=60)
        client.flush(timeout=60)


def test_keepalive_is_on(broker: RabbitMQ) -> None:
    with connect([broker.url]) as client:
        client.exchange_declare("keepalive")
        port = f":{broker.port}"

        def is_on() -> bool:
            command = ["ss", "-tnoH", "state", "established"]
            sockets = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            own = [line for line in sockets.splitlines() if line.split()[3].endswith(port)]
            # While something is on its way, another timer is shown.
            return bool(own) and all("keepalive" in line for line in own)

        wait_until(is_on, timeout=60, what="keepalive")


def test_publish_to_a_dead_broker_is_bounded(name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        silent = f"amqp://guest:guest@127.0.0.1:{listener.getsockname()[1]}/"
        for hosts in ([silent], ["amqp://guest:guest@127.0.0.1:1/"]):
            with connect(hosts, max_attempts=0) as client:
                start = time.monotonic()
                with pytest.raises(AmqpUnavailable):
                    client.publish(name, "k", b"x", timeout=1.0)
                assert time.monotonic() - start < 60


def test_attempts_are_limited() -> None:
    with connect(["amqp://guest:guest@127.0.0.1:1/"], max_attempts=3) as client:
        start = time.monotonic()
        with pytest.raises(AmqpUnavailable, match="3 attempts"):
            client.exchange_declare("x")
        assert time.monotonic() - start < 120


def test_dead_host_is_passed_over(broker: RabbitMQ, name: str) -> None:
    for _ in range(4):
        with connect(["amqp://guest:guest@127.0.0.1:1/", broker.url]) as client:
            prepared(client, name)
            client.publish(name, "k", b"x", timeout=60)


def test_other_node_takes_over_and_nothing_is_lost(name: str) -> None:
    cluster = RabbitMQ(nodes=2)
    try:
        cluster = started(lambda: cluster)
        with (
            connect(cluster.urls, max_attempts=0, confirm_buffer=10) as publisher,
            connect(cluster.urls, max_attempts=0) as consumer,
        ):
            publisher.exchange_declare(name)
            # On the surviving node: a queue without replicas is as lost as its node.
            with connect([cluster.urls[1]]) as second:
                prepared(second, name)
            consumer.consume([name])
            sent = 0
            for number in range(200):
                if number == 100:
                    cluster.kill()
                publisher.publish(name, "k", str(number).encode(), timeout=120)
                sent += 1
            publisher.flush(timeout=120)
            told: set[int] = set()
            end = time.monotonic() + 120
            while len(told) < sent and time.monotonic() < end:
                delivery = consumer.next_delivery(1)
                if delivery is not None:
                    told.add(int(delivery.body))
                    consumer.ack(delivery)
            assert told == set(range(200))
    finally:
        cluster.stop()


def test_idle_publisher_notices_nothing(broker: RabbitMQ, name: str) -> None:
    """The link answers heartbeats by itself, so a program that rarely publishes keeps its connection."""

    def keeps_its_connection() -> bool:
        with connect([f"{broker.url}?heartbeat=1"]) as client:
            prepared(client, name)
            client.publish(name, "k", b"x")
            link = client._link  # type: ignore[attr-defined]
            time.sleep(4)
            client.publish(name, "k", b"y")
            return client._link is link  # type: ignore[attr-defined]

    # A machine that stops this process for two seconds loses a connection for good reason.
    assert any(keeps_its_connection() for _ in range(5))
