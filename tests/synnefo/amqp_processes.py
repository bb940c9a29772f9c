"""What other processes do to a broker; they load nothing more than this."""

from __future__ import annotations

import contextlib
import os
import time

from synnefo.amqp import connect


def publish_many(url: str, name: str, first: int, count: int) -> None:
    with connect([url], confirm_buffer=10) as client:
        for number in range(first, first + count):
            client.publish(name, "a.b", str(number).encode())
        client.flush()


def publish_and_fork(url: str, name: str) -> None:
    """Publish, have a forked child publish with the same client, and publish again."""
    with connect([url]) as client:
        client.publish(name, "a.b", b"parent")
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                client.publish(name, "a.b", b"child", timeout=60)
                status = 0
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        client.publish(name, "a.b", b"parent again")
        client.flush()


def take_and_wait(url: str, queue: str, ready: object) -> None:
    client = connect([url])
    client.consume([queue])
    assert client.next_delivery(60) is not None
    ready.set()  # type: ignore[attr-defined]
    time.sleep(300)
