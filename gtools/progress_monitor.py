"""``snf-progress-monitor``: forwards what an image deployment says (ganeti-backend contract 7).

The deployment must never wait for it nor fail because of it: one thread always drains the input, another
publishes, and after the end of the input only a bounded time is left for the broker.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from gtools import settings
from gtools.json_stream import JsonStream
from synnefo import amqp
from synnefo.messages import MessageError, Progress, decode, event_time_now, routing_key_of

logger = logging.getLogger("snf-progress-monitor")

READ_BYTES = 512
CONFIRM_BUFFER = 10
PUBLISH_SECONDS = 2.0
PAUSE_SECONDS = 0.5
# After the end of the input.
LINGER_SECONDS = 10.0
MAX_WAITING = 1000

Connect = Callable[[], amqp.Client]


def progress_message(instance: str, content: dict[str, Any]) -> Progress:
    """Return the message for what the deployment said; raise `MessageError` if it fits no contract."""
    completed = content | {"instance": instance, "event_time": list(event_time_now())}
    message = decode(json.dumps(completed).encode())
    if not isinstance(message, Progress):
        raise MessageError(f"{message.TYPE} is no progress")
    return message


class Forwarder:
    """Publishes messages in a thread of its own; what can't be published in time is dropped."""

    def __init__(self, connect: Connect, exchange: str) -> None:
        self._connect = connect
        self._exchange = exchange
        self._waiting: deque[Progress] = deque()
        self._changed = threading.Condition()
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    def add(self, message: Progress) -> None:
        """Have a message sent; when too many wait, the oldest copy progress gives way."""
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                self._drop_one()
            self._waiting.append(message)
            self._changed.notify_all()

    def _drop_one(self) -> None:
        for message in self._waiting:
            if message.type == "image-copy-progress":
                self._waiting.remove(message)
                return
        self._waiting.popleft()

    def finish(self, seconds: float) -> int:
        """Wait until all is confirmed, at most ``seconds``; return how many messages are lost."""
        with self._changed:
            self._deadline = time.monotonic() + seconds
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            return len(self._waiting)

    def _run(self) -> None:
        client: amqp.Client | None = None
        while batch := self._next_batch():
            try:
                if client is None:
                    client = self._connect()
                    client.exchange_declare(self._exchange)
                for message in batch:
                    client.publish(
                        self._exchange, routing_key_of(message), message.encode(), timeout=PUBLISH_SECONDS
                    )
                client.flush(timeout=PUBLISH_SECONDS)
            except (amqp.AmqpError, ValueError) as error:
                logger.warning("[MONITOR] broker: %s", error)
                if client is not None:
                    client.close()
                    client = None
                time.sleep(PAUSE_SECONDS)
                continue
            with self._changed:
                for message in batch:
                    if message in self._waiting:
                        self._waiting.remove(message)
        if client is not None:
            client.close()

    def _next_batch(self) -> list[Progress]:
        """Return the oldest messages, waiting for some; none when the end is reached."""
        with self._changed:
            while not self._waiting and self._deadline is None:
                self._changed.wait()
            if self._deadline is not None and time.monotonic() >= self._deadline:
                return []
            return list(self._waiting)[:CONFIRM_BUFFER]


class ProgressMonitor:
    """Reads the deployment's objects from a file descriptor until its end."""

    def __init__(self, instance: str, source: int, forwarder: Forwarder | None) -> None:
        self._instance = instance
        self._source = source
        self._forwarder = forwarder
        self._stream = JsonStream()

    def run(self) -> None:
        """Drain the input; without a forwarder nothing is kept."""
        while self.run_once():
            pass

    def run_once(self) -> bool:
        """Read and forward one piece; return False at the end of the input."""
        data = os.read(self._source, READ_BYTES)
        for content in self._stream.feed(data):
            self._forward(content)
        return bool(data)

    def _forward(self, content: dict[str, Any]) -> None:
        try:
            message = progress_message(self._instance, content)
        except (MessageError, ValueError, RecursionError) as error:
            logger.warning("[MONITOR] skipped: %s", error)
            return
        logger.info("[MONITOR] %s", json.dumps(message.as_dict()))
        if self._forwarder is not None:
            self._forwarder.add(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Forward standard input until it ends; exit 1 only when called wrongly."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) != 1:
        sys.stderr.write("usage: snf-progress-monitor INSTANCE\n")
        return 1
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    source = sys.stdin.fileno()
    forwarder = None
    try:
        configured = settings.load()
        hosts = configured.amqp_hosts
        forwarder = Forwarder(
            lambda: amqp.connect(
                hosts, max_attempts=len(hosts), confirm_buffer=CONFIRM_BUFFER, name="snf-progress-monitor"
            ),
            configured.exchange_ganeti,
        )
    except settings.SettingsError as error:
        logger.error("[MONITOR] %s", error)
    ProgressMonitor(words[0], source, forwarder).run()
    lost = forwarder.finish(LINGER_SECONDS) if forwarder is not None else 0
    if lost:
        logger.error("[MONITOR] %d messages could not be sent", lost)
    return 0


if __name__ == "__main__":
    sys.exit(main())
