"""A durable broker in one SQLite file, the embedded twin of RabbitMQ (ganeti-backend contract 4).

Every process opens the file itself; there is no server. A message handed out belongs to its client until it
is acknowledged; clients of processes that died, or that were silent for `LEASE_SECONDS`, lose what they hold.
A dead process is noticed at once by those that share its process ids, by others when its lease ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synnefo.amqp import store
from synnefo.amqp.client import AmqpError, AmqpUnavailable, Client, Deliveries, Delivery
from synnefo.amqp.file_watch import FileWatch

BUSY_SECONDS = 10.0
LEASE_SECONDS = 1800.0
HOUSEKEEPING_SECONDS = 1.0
HOUSEKEEPING_WAIT_SECONDS = 0.1
FIRST_POLL_SECONDS = 0.01
LONGEST_POLL_SECONDS = 0.1


class EmbeddedClient(Client):
    """One process's access to the broker file; survives a fork by registering anew."""

    def __init__(self, url: str, *, name: str = "") -> None:
        path = url.removeprefix("embedded://")
        if not Path(path).is_absolute():
            raise ValueError("an embedded broker's URL must hold an absolute path: embedded:///path/to/file")
        self._path = path
        self._name = name
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._pid = 0
        self._client = ""
        self._closed = False
        self._queues: tuple[str, ...] | None = None
        self._prefetch = 0
        self._tags: dict[int, int] = {}
        self._next_tag = 0
        self._kept_house = 0.0
        self._watch: FileWatch | None = None

    # Topology

    def exchange_declare(self, name: str, type: str = "topic") -> None:
        """Create the exchange."""
        with self._transaction() as database:
            store.declare_exchange(database, name, type)

    def queue_declare(
        self,
        name: str,
        dead_letter_exchange: str | None = None,
        expires_ms: int | None = None,
        exclusive: bool = False,
        quorum: bool = False,
    ) -> None:
        """Create the queue."""
        with self._transaction() as database:
            owner = self._client if exclusive else None
            store.declare_queue(database, name, dead_letter_exchange, expires_ms, owner)

    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Bind the queue."""
        with self._transaction() as database:
            store.bind(database, queue, exchange, routing_key)

    def exchange_delete(self, name: str) -> None:
        """Remove the exchange."""
        with self._transaction() as database:
            store.delete_exchange(database, name)

    def queue_delete(self, queue: str, *, only_idle: bool = False) -> None:
        """Remove the queue."""
        with self._transaction() as database:
            store.delete_queue(database, queue, only_idle=only_idle)

    def queue_purge(self, queue: str) -> int:
        """Empty the queue."""
        with self._transaction() as database:
            return store.purge(database, queue)

    def queue_length(self, queue: str) -> int:
        """Count what waits."""
        with self._transaction() as database:
            return store.length(database, queue)

    # Publishing

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Store the message in all queues that want it, on disk when this returns."""
        with self._transaction(timeout) as database:
            store.publish(database, exchange, routing_key, body, headers or {})

    def flush(self, *, timeout: float | None = None) -> None:
        """Nothing to wait for: every message is on disk when `publish` returns."""

    def pending_count(self) -> int:
        """Return 0: every message is on disk when `publish` returns."""
        return 0

    # Consuming

    def consume(self, queues: Sequence[str], *, prefetch: int = 100) -> Deliveries:
        """Subscribe to the queues."""
        with self._transaction() as database:
            if self._queues is not None:
                raise AmqpError("this client has a subscription already")
            for queue in queues:
                store.length(database, queue)
            self._queues, self._prefetch = tuple(queues), prefetch
        return Deliveries(self)

    def cancel(self) -> None:
        """End the subscription."""
        with self._lock:
            self._queues = None

    def next_delivery(self, timeout: float | None = None) -> Delivery | None:
        """Return the next message of the subscription."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_POLL_SECONDS
        while True:
            with self._lock:
                if self._queues is None:
                    raise AmqpError("this client has no subscription")
                watch = self._watched()
                delivery = self._claim(self._queues, self._prefetch)
            if delivery is not None:
                return delivery
            left = pause if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            # A change is told when it is written, which is some moments before others see it.
            changed = watch.wait(min(pause, left))
            longest = HOUSEKEEPING_SECONDS if watch.is_told else LONGEST_POLL_SECONDS
            pause = FIRST_POLL_SECONDS if changed else min(pause * 1.5, longest)

    def get(self, queue: str) -> Delivery | None:
        """Fetch one message."""
        with self._transaction() as database:
            store.length(database, queue)
        return self._claim((queue,), None)

    def _claim(self, queues: Sequence[str], prefetch: int | None) -> Delivery | None:
        """Take the oldest waiting message, writing only if there is one."""
        with self._reading() as database:
            if prefetch and len(self._tags) >= prefetch:
                return None
            if not store.has_waiting(database, queues):
                return None
        with self._transaction(durable=False) as database:
            row = store.claim(database, queues, self._client)
            if row is None:
                return None
            self._next_tag += 1
            self._tags[self._next_tag] = row.id
            return Delivery(
                queue=row.queue,
                exchange=row.exchange,
                routing_key=row.routing_key,
                body=row.body,
                headers=row.headers,
                redelivered=row.redelivered,
                tag=self._next_tag,
                epoch=self._pid,
            )

    def ack(self, delivery: Delivery, multiple: bool = False) -> None:
        """Remove the message for good."""
        with self._transaction(durable=False) as database:
            if delivery.epoch != self._pid or delivery.tag not in self._tags:
                return
            tags = [tag for tag in self._tags if tag <= delivery.tag] if multiple else [delivery.tag]
            store.remove(database, [self._tags[tag] for tag in tags], self._client)
            for tag in tags:
                del self._tags[tag]

    def reject(self, delivery: Delivery, requeue: bool = False) -> None:
        """Give the message back or dead-letter it."""
        with self._transaction(durable=not requeue) as database:
            if delivery.epoch != self._pid or delivery.tag not in self._tags:
                return
            message = self._tags.pop(delivery.tag)
            if requeue:
                store.give_back(database, message, self._client)
            else:
                store.dead_letter(database, message, self._client, "rejected")

    def close(self) -> None:
        """Give back what is unacknowledged and forget this client."""
        with self._lock:
            if self._closed:
                return
            if self._database is not None and self._pid == os.getpid():
                with self._transaction() as database:
                    store.drop_client(database, self._client)
                self._database.close()
            self._database = None
            self._closed = True
            self._end_watch()

    # The file

    def _watched(self) -> FileWatch:
        """Return the watch of the file to which changes are appended, which tells of changes from now on."""
        self._open()
        if self._watch is None:
            self._watch = FileWatch(f"{self._path}-wal")
        self._watch.forget()
        return self._watch

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            database = self._open()
            self._keep_house(database)
            with _as_unavailable():
                yield database

    @contextmanager
    def _transaction(
        self, timeout: float | None = None, *, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Change the file. What is not durable survives a crash of processes, but not of the machine.

        Handing out and acknowledging need no more: lost, they only mean that a message comes again.
        """
        with self._lock:
            database = self._open()
            self._keep_house(database)
            with _as_unavailable():
                database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                with _bounded(database, timeout), _immediate(database):
                    yield database

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise AmqpUnavailable("the client is closed")
        if self._database is not None and self._pid == os.getpid():
            return self._database
        with _as_unavailable():
            database = store.open_file(self._path, BUSY_SECONDS)
            self._pid, self._client = os.getpid(), secrets.token_hex(8)
            self._tags.clear()
            self._end_watch()
            with _immediate(database):
                store.add_client(database, self._client, self._name)
        self._database = database
        return database

    def _keep_house(self, database: sqlite3.Connection) -> None:
        """Free what dead clients hold and drop expired queues, now and then; write only if that is needed."""
        if time.monotonic() - self._kept_house < HOUSEKEEPING_SECONDS:
            return
        self._kept_house = time.monotonic()
        with contextlib.suppress(sqlite3.OperationalError):
            if not store.needs_housekeeping(database, self._client, self._queues or (), LEASE_SECONDS):
                return
        # Not worth waiting for: if others are busy, it is done next time.
        with (
            contextlib.suppress(sqlite3.OperationalError),
            _bounded(database, HOUSEKEEPING_WAIT_SECONDS),
            _immediate(database),
        ):
            if not store.renew_client(database, self._client):
                # Another process took us for dead and gave our messages away.
                self._tags.clear()
                store.add_client(database, self._client, self._name)
            store.touch_queues(database, self._queues or ())
            store.drop_dead_clients(database, LEASE_SECONDS)
            store.drop_expired_queues(database)


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise AmqpUnavailable(f"the embedded broker's file: {error}") from error


@contextmanager
def _bounded(database: sqlite3.Connection, timeout: float | None) -> Iterator[None]:
    if timeout is None:
        yield
        return
    database.execute(f"PRAGMA busy_timeout = {max(1, int(min(timeout, BUSY_SECONDS) * 1000))}")
    try:
        yield
    finally:
        database.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


@contextmanager
def _immediate(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.rollback()
        raise
    database.commit()
