"""What a message client offers, whichever broker is behind it (ganeti-backend contract 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


class AmqpError(Exception):
    """The broker or the connection to it did not do what was asked."""


class AmqpUnavailable(AmqpError):
    """No broker could be reached, or none confirmed in time: try again later."""


class AmqpRefused(AmqpError):
    """The broker refused the request: repeating it does not help. ``code`` is AMQP's reply code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


@dataclass(frozen=True)
class Delivery:
    """One received message; ``tag`` and ``epoch`` identify it towards the client that received it."""

    queue: str
    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, Any]
    redelivered: bool
    tag: int
    epoch: int = field(default=0, repr=False)


class Client(ABC):
    """A connection to the broker with publisher confirms and manual acknowledgement.

    Usable from several threads. Every ``timeout`` is in seconds; None means as long as the client's own
    limit of attempts allows.
    """

    @abstractmethod
    def exchange_declare(self, name: str, type: str = "topic") -> None:
        """Create a durable exchange unless it exists."""

    @abstractmethod
    def exchange_delete(self, name: str) -> None:
        """Remove an exchange and its bindings; unknown exchanges are fine."""

    @abstractmethod
    def queue_declare(
        self,
        name: str,
        dead_letter_exchange: str | None = None,
        expires_ms: int | None = None,
        exclusive: bool = False,
        quorum: bool = False,
    ) -> None:
        """Create a durable queue unless it exists; raise `AmqpRefused` if it exists with other arguments.

        dead_letter_exchange: where rejected messages go, with their routing key and an ``x-death`` header.
        expires_ms: the queue vanishes when unused for that many milliseconds.
        exclusive: the queue is this client's and vanishes with it.
        quorum: replicate the queue over the broker's cluster, where it is one.
        """

    @abstractmethod
    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Have the queue receive what is published with a key matching the pattern (``*``, ``#``)."""

    @abstractmethod
    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Send a persistent message; waits for confirms once the confirm buffer is full.

        Raises `AmqpUnavailable` when that took longer than ``timeout`` or no broker is to be had: the client
        has then forgotten this message (though the broker may have it), so the caller may try again.
        """

    @abstractmethod
    def flush(self, *, timeout: float | None = None) -> None:
        """Wait until the broker has confirmed everything; on `AmqpUnavailable` the rest stays pending."""

    @abstractmethod
    def pending_count(self) -> int:
        """Return how many published messages the broker has not confirmed yet."""

    @abstractmethod
    def consume(self, queues: Sequence[str], *, prefetch: int = 100) -> Deliveries:
        """Subscribe to queues; at most ``prefetch`` messages are outstanding without acknowledgement."""

    @abstractmethod
    def cancel(self) -> None:
        """End the subscription; what was not handed out yet goes back to the queues."""

    @abstractmethod
    def next_delivery(self, timeout: float | None = None) -> Delivery | None:
        """Return the next message of the subscribed queues, None if none came in time."""

    @abstractmethod
    def get(self, queue: str) -> Delivery | None:
        """Return one message of a queue without subscribing, None if it is empty."""

    @abstractmethod
    def ack(self, delivery: Delivery, multiple: bool = False) -> None:
        """Remove the message for good; with ``multiple`` also all handed out before it."""

    @abstractmethod
    def reject(self, delivery: Delivery, requeue: bool = False) -> None:
        """Give the message back to its queue, or else to the queue's dead-letter exchange."""

    @abstractmethod
    def queue_delete(self, queue: str, *, only_idle: bool = False) -> None:
        """Remove a queue and its messages; unknown queues are fine.

        only_idle: raise `AmqpRefused` 406 instead if it has messages, or (RabbitMQ) consumers.
        """

    @abstractmethod
    def queue_purge(self, queue: str) -> int:
        """Remove the messages that nobody is working on; return how many."""

    @abstractmethod
    def queue_length(self, queue: str) -> int:
        """Return how many messages wait (without those handed out); `AmqpRefused` 404 if unknown."""

    @abstractmethod
    def close(self) -> None:
        """End the connection: unacknowledged messages are redelivered, pending ones are dropped."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Deliveries:
    """The messages of a subscription, endlessly."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def next_delivery(self, timeout: float | None = None) -> Delivery | None:
        """Return the next message, None if none came within ``timeout`` seconds."""
        return self._client.next_delivery(timeout)

    def __iter__(self) -> Iterator[Delivery]:
        while True:
            delivery = self._client.next_delivery()
            if delivery is not None:
                yield delivery
