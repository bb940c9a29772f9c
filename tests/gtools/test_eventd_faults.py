"""The event daemon while RabbitMQ is down or hangs (ganeti-backend contract 6)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synnefo.amqp import AmqpError, Client, connect
from synnefo.messages import OpStatus, decode
from tests.gtools.fake_master import FakeMaster
from tests.gtools.test_eventd_daemon import Daemon, shutdown
from tests.lab.rabbitmq import RabbitMQ

pytestmark = pytest.mark.fault


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> Iterator[RabbitMQ]:
    """The node that all share, which runs again after a test that failed."""
    yield rabbitmq
    rabbitmq.revive()


@pytest.fixture
def master(tmp_path: Path) -> Iterator[FakeMaster]:
    fake = FakeMaster(tmp_path)
    yield fake
    fake.close()


@pytest.fixture
def daemon(master: FakeMaster, broker: RabbitMQ) -> Iterator[Daemon]:
    with connect([broker.url]) as client:
        declare(client)
        client.queue_purge("events")
    process = Daemon(master, broker.url)
    yield process
    process.end()


def declare(client: Client) -> None:
    client.exchange_declare("ganeti")
    client.queue_declare("events")
    client.queue_bind("events", "ganeti", "#")


def receive(url: str, enough: Callable[[list[int]], bool], seconds: float) -> tuple[list[int], float]:
    """Return the job ids told, in order, and the seconds until there were enough."""
    start = time.monotonic()
    told: list[int] = []
    with connect([url], max_attempts=0) as client:
        declare(client)
        client.consume(["events"])
        while not enough(told) and time.monotonic() - start < seconds:
            try:
                delivery = client.next_delivery(0.5)
            except AmqpError:
                continue
            if delivery is not None:
                message = decode(delivery.body)
                assert isinstance(message, OpStatus)
                told.append(message.job_id)
                client.ack(delivery)
    return told, time.monotonic() - start


def all_of(jobs: int) -> Callable[[list[int]], bool]:
    return lambda told: set(told) == set(range(1, jobs + 1))


def in_order(told: list[int]) -> bool:
    """Whether the first appearances are in order: a message may be repeated, not overtaken."""
    first = list(dict.fromkeys(told))
    return first == sorted(first)


def test_broker_down_for_30_seconds(master: FakeMaster, broker: RabbitMQ, daemon: Daemon) -> None:
    jobs = 40
    for number in range(1, 11):
        master.write_ops(number, shutdown("success"))
    time.sleep(1)
    broker.kill()
    killed = time.monotonic()
    for number in range(11, jobs + 1):
        master.write_ops(number, shutdown("success"))
        time.sleep(0.1)
    time.sleep(max(0.0, 30 - (time.monotonic() - killed)))
    assert daemon.process.poll() is None
    broker.restart()
    told, seconds = receive(broker.url, all_of(jobs), 20)
    assert set(told) == set(range(1, jobs + 1))
    assert in_order(told)
    assert seconds <= 10


def test_broker_hangs(master: FakeMaster, broker: RabbitMQ, daemon: Daemon) -> None:
    jobs = 20
    master.write_ops(1, shutdown("success"))
    time.sleep(1)
    broker.pause()
    try:
        for number in range(2, jobs + 1):
            master.write_ops(number, shutdown("success"))
            time.sleep(0.5)
    finally:
        broker.resume()
    told, seconds = receive(broker.url, all_of(jobs), 20)
    assert set(told) == set(range(1, jobs + 1))
    assert in_order(told)
    assert seconds <= 10


def test_daemon_stops_in_bounded_time_while_the_broker_hangs(
    master: FakeMaster, broker: RabbitMQ, daemon: Daemon
) -> None:
    master.write_ops(1, shutdown("success"))
    time.sleep(1.5)
    broker.pause()
    try:
        master.write_ops(2, shutdown("success"))
        time.sleep(0.5)
        start = time.monotonic()
        assert daemon.end() == 0
        assert time.monotonic() - start < 15
    finally:
        broker.resume()
    again = Daemon(master, broker.url)
    try:
        told, _ = receive(broker.url, all_of(2), 15)
        assert set(told) == {1, 2}
    finally:
        again.end()
