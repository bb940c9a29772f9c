"""What other processes do to a broker; they load nothing more than this."""

from __future__ import annotations

import time

from synnefo.amqp import connect


def publish_many(url: str, name: str, first: int, count: int) -> None:
    with connect([url], confirm_buffer=10) as client:
        for number in range(first, first + count):
            client.publish(name, "a.b", str(number).encode())
        client.flush()


def take_and_wait(url: str, queue: str, ready: object) -> None:
    client = connect([url])
    client.consume([queue])
    assert client.next_delivery(10) is not None
    ready.set()  # type: ignore[attr-defined]
    time.sleep(60)
