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
from tests.lab.instance import wait_until
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


def receive(url: str, enough: Callable[[list[int]], bool]) -> list[int]:
    """Return the job ids told, in order, once there are enough."""
    end = time.monotonic() + 120
    told: list[int] = []
    with connect([url], max_attempts=0) as client:
        declare(client)
        client.consume(["events"])
        while not enough(told) and time.monotonic() < end:
            try:
                delivery = client.next_delivery(0.5)
            except AmqpError:
                continue
            if delivery is not None:
                message = decode(delivery.body)
                assert isinstance(message, OpStatus)
                told.append(message.job_id)
                client.ack(delivery)
    return told


def until_told(broker: RabbitMQ, jobs: int) -> None:
    """Wait until the broker has messages of so many jobs."""
    with connect([broker.url]) as client:
        wait_until(lambda: client.queue_length("events") >= jobs, timeout=120, what="the first messages")


def until_failed(daemon: Daemon, times: int) -> None:
    """Wait until the daemon has tried in vain so many times."""
    said = "messages wait)"
    wait_until(lambda: daemon.log.read_text().count(said) >= times, timeout=120, what="failing to send")


def all_of(jobs: int) -> Callable[[list[int]], bool]:
    return lambda told: set(told) == set(range(1, jobs + 1))


def in_order(told: list[int]) -> bool:
    """Whether the first appearances are in order: a message may be repeated, not overtaken."""
    first = list(dict.fromkeys(told))
    return first == sorted(first)


def test_broker_down_for_a_while(master: FakeMaster, broker: RabbitMQ, daemon: Daemon) -> None:
    jobs = 40
    for number in range(1, 11):
        master.write_ops(number, shutdown("success"))
    until_told(broker, 10)
    broker.kill()
    for number in range(11, jobs + 1):
        master.write_ops(number, shutdown("success"))
    until_failed(daemon, 5)
    assert daemon.process.poll() is None
    broker.restart()
    told = receive(broker.url, all_of(jobs))
    assert set(told) == set(range(1, jobs + 1))
    assert in_order(told)


def test_broker_hangs(master: FakeMaster, broker: RabbitMQ, daemon: Daemon) -> None:
    jobs = 20
    master.write_ops(1, shutdown("success"))
    until_told(broker, 1)
    broker.pause()
    try:
        for number in range(2, jobs // 2):
            master.write_ops(number, shutdown("success"))
        until_failed(daemon, 1)
        for number in range(jobs // 2, jobs + 1):
            master.write_ops(number, shutdown("success"))
    finally:
        broker.resume()
    told = receive(broker.url, all_of(jobs))
    assert set(told) == set(range(1, jobs + 1))
    assert in_order(told)


def test_daemon_stops_in_bounded_time_while_the_broker_hangs(
    master: FakeMaster, broker: RabbitMQ, daemon: Daemon
) -> None:
    master.write_ops(1, shutdown("success"))
    until_told(broker, 1)
    broker.pause()
    try:
        master.write_ops(2, shutdown("success"))
        time.sleep(0.5)
        assert daemon.end() == 0
    finally:
        broker.resume()
    again = Daemon(master, broker.url)
    try:
        assert set(receive(broker.url, all_of(2))) == {1, 2}
    finally:
        again.end()
