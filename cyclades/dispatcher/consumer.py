"""Consuming Ganeti's messages: in batches, acknowledged after the commit (Ganeti contract 9.1, 9.2)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from cyclades.dispatcher import handlers
from cyclades.dispatcher.handlers import Work
from synnefo import messages, metrics, request_id
from synnefo.amqp import Client, Delivery
from synnefo.amqp.topology import Topology
from synnefo.db.locks import atomic, is_retryable
from synnefo.errors import ServiceUnavailable

log = logging.getLogger(__name__)

_SINGLE_ATTEMPTS = 5


class DatabaseAway(Exception):
    """The database can't be used now; nothing was acknowledged and nothing is lost."""


class _BatchBroken(Exception):
    """A message failed in a way that takes its transaction along; its cause is that failure."""


@dataclass
class Item:
    """One delivery on its way; ``failed`` sends it to the dead-letter queue."""

    delivery: Delivery
    work: Work | None = None
    outcome: str = ""
    failed: bool = False


class Control(Protocol):
    """Whoever answers the requests in the dispatcher's own queue."""

    def declare(self) -> str:
        """Create the queue and return its name."""

    def answer(self, delivery: Delivery) -> None:
        """Answer one request."""


def topology() -> Topology:
    """Return the queues of this installation."""
    return Topology(
        prefix=settings.BACKEND_PREFIX_ID,
        exchange=settings.EXCHANGE_GANETI,
        debug=bool(settings.DEBUG),
        quorum=settings.AMQP_QUORUM_QUEUES,
    )


class Consumer:
    """Takes messages from the broker and has them applied; one thread, several may run side by side."""

    def __init__(self, client: Client, control: Control | None = None) -> None:
        self.client = client
        self.topology = topology()
        self._control = control
        self._control_queue = ""
        self._subscribed = False

    def subscribe(self) -> None:
        """Declare queues and bindings and start consuming."""
        self.topology.declare(self.client)
        queues = [binding.queue for binding in self.topology.queues()]
        if self._control is not None:
            self._control_queue = self._control.declare()
            queues.append(self._control_queue)
        self.client.consume(queues, prefetch=settings.DISPATCHER_PREFETCH)
        self._subscribed = True

    def run_once(self, timeout: float = 0.0) -> int:
        """Handle one batch, waiting up to *timeout* seconds for its first message; return its size.

        Raises ``AmqpError`` and ``DatabaseAway``; what was not acknowledged then comes again.
        """
        if not self._subscribed:
            self.subscribe()
        batch = self._collect(timeout)
        if batch:
            self._handle(batch)
        return len(batch)

    def _collect(self, timeout: float) -> list[Item]:
        first = self.client.next_delivery(timeout)
        if first is None:
            return []
        batch = [Item(first)]
        deadline = time.monotonic() + settings.DISPATCHER_BATCH_MILLISECONDS / 1000
        while len(batch) < settings.DISPATCHER_BATCH_SIZE:
            delivery = self.client.next_delivery(max(0.0, deadline - time.monotonic()))
            if delivery is None:
                break
            batch.append(Item(delivery))
        return batch

    def _handle(self, batch: Sequence[Item]) -> None:
        for item in batch:
            self._prepare(item)
        todo = [item for item in batch if item.work is not None and not item.failed]
        if todo and not _apply_together(todo):
            for item in todo:
                _apply_alone(item)
        self._acknowledge(batch)

    def _prepare(self, item: Item) -> None:
        """Decode; what is not a message of the contract is logged and dropped."""
        if self._control is not None and item.delivery.queue == self._control_queue:
            item.outcome = "control"
            self._control.answer(item.delivery)
            return
        try:
            message = messages.decode(item.delivery.body)
        except messages.MessageError as error:
            item.outcome = "undecodable"
            log.error("a message of %s is dropped: %s", item.delivery.queue, error)
            return
        if item.delivery.queue.startswith(f"{self.topology.word}-debug"):
            item.outcome = "debug"
            log.debug("message %s", item.delivery.body[:2000])
            return
        try:
            item.work = handlers.prepare(message)
        except Exception as error:
            _raise_if_database_away(error)
            _fail(item, error)

    def _acknowledge(self, batch: Sequence[Item]) -> None:
        for item in batch:
            if item.failed:
                self.client.reject(item.delivery, requeue=False)
            kind = type(item.work.message).__name__ if item.work is not None else "unknown"
            metrics.messages_handled.labels(kind, item.outcome).inc()
        succeeded = [item.delivery for item in batch if not item.failed]
        if len(succeeded) == len(batch):
            self.client.ack(succeeded[-1], multiple=True)
            return
        for delivery in succeeded:
            self.client.ack(delivery)


def _apply_together(batch: Sequence[Item]) -> bool:
    """Apply a batch in one transaction; ``False`` when it has to be done one by one."""
    if len(batch) == 1:
        return False
    try:
        with atomic():
            rows = handlers.lock([item.work for item in batch if item.work is not None])
            for item in batch:
                _apply_one(item, rows)
            rows.flush()
    except (DatabaseError, InterfaceError, _BatchBroken) as error:
        _raise_if_database_away(error)
        for item in batch:
            item.outcome, item.failed = "", False
        log.info("a batch of %d messages is applied one by one: %s", len(batch), error)
        return False
    return True


def _apply_alone(item: Item) -> None:
    assert item.work is not None
    for attempt in range(1, _SINGLE_ATTEMPTS + 1):
        try:
            with atomic():
                rows = handlers.lock([item.work])
                _apply_one(item, rows)
                rows.flush()
            return
        except _BatchBroken as broken:
            _fail(item, broken.__cause__ or broken)
            return
        except (OperationalError, InterfaceError) as error:
            _raise_if_database_away(error)
            item.failed = False
            if attempt == _SINGLE_ATTEMPTS:
                raise DatabaseAway(f"locks are not to be had: {error}") from error
            time.sleep(0.02 * 2**attempt)
        except DatabaseError as error:
            # The database refuses these values; it would refuse them again.
            _fail(item, error)
            return


def _apply_one(item: Item, rows: handlers.LockedRows) -> None:
    assert item.work is not None
    message_request = getattr(item.work.message, "request_id", None) or request_id.new()
    with request_id.bound(message_request):
        try:
            item.outcome = handlers.apply(item.work, rows)
        except (OperationalError, InterfaceError):
            # The transaction is lost, not this message.
            raise
        except Exception as error:
            # No savepoint for each message: failures are rare, and the batch is then done one by one.
            if isinstance(error, DatabaseError) or not handlers.moves_columns_only(item.work.message):
                raise _BatchBroken from error
            _fail(item, error)


def _fail(item: Item, error: BaseException) -> None:
    item.failed = True
    item.outcome = "dead_lettered"
    level = logging.WARNING if isinstance(error, ServiceUnavailable) else logging.ERROR
    log.log(
        level,
        "a message of %s can't be applied and goes to the dead-letter queue: %s",
        item.delivery.queue,
        error,
        exc_info=error,
    )


def _raise_if_database_away(error: Exception) -> None:
    """Raise ``DatabaseAway`` unless *error* is about this transaction or message only."""
    if not isinstance(error, OperationalError | InterfaceError) or is_retryable(error):
        return
    connection.close()
    raise DatabaseAway(str(error)) from error
