"""The client for RabbitMQ: confirms, fail-over, re-declaration (ganeti-backend contract 4)."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika.channel import Channel

from synnefo.amqp.client import AmqpError, AmqpRefused, AmqpUnavailable, Client, Deliveries, Delivery
from synnefo.amqp.link import CALL_SECONDS, Completion, Link, parameters_of, plain_headers

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 2.0
# A confirm that takes longer than this means that the host hangs: the next attempt tries another one.
STALLED_SECONDS = 1.0

Declaration = Callable[[Channel, Completion], None]


@dataclass(eq=False)
class _Pending:
    """A published message without a confirm; ``number`` is its publish number on the link ``epoch``."""

    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any] | None
    epoch: int = 0
    number: int = 0
    withdrawn: bool = False

    def send(self, link: Link, channel: Channel) -> None:
        """Publish on the channel, in the link's thread."""
        if self.withdrawn:
            return
        link.published += 1
        self.number = link.published
        properties = pika.BasicProperties(
            delivery_mode=2, headers=self.headers, content_type="application/json"
        )
        channel.basic_publish(self.exchange, self.routing_key, self.body, properties)


@dataclass(frozen=True)
class _Subscription:
    queues: tuple[str, ...]
    prefetch: int


class RabbitClient(Client):
    """Speaks to one of several RabbitMQ hosts; every call reconnects when needed."""

    def __init__(
        self, hosts: Sequence[str], *, max_attempts: int = 30, confirm_buffer: int = 1, name: str = ""
    ) -> None:
        # pika logs every lost connection several times with tracebacks; we log it once ourselves.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        shuffled = list(hosts)
        secrets.SystemRandom().shuffle(shuffled)
        self._parameters = deque(parameters_of(host, name) for host in shuffled)
        self._max_attempts = max_attempts
        self._confirm_buffer = max(1, confirm_buffer)
        self._changed = threading.Condition(threading.RLock())
        self._connecting = threading.RLock()
        self._get_lock = threading.Lock()
        self._link: Link | None = None
        self._epoch = 0
        self._closed = False
        self._pid = os.getpid()
        self._pending: deque[_Pending] = deque()
        self._not_stored = False
        self._declared: dict[tuple[str, ...], Declaration] = {}
        self._subscription: _Subscription | None = None
        self._inbox: deque[Delivery] = deque()
        self._outstanding: set[int] = set()
        self._consumer_tags: list[str] = []

    # Topology

    def exchange_declare(self, name: str, type: str = "topic") -> None:
        """Create the exchange, now and after every reconnection."""

        def declare(channel: Channel, done: Completion) -> None:
            channel.exchange_declare(name, type, durable=True, callback=done)

        self._declare(("exchange", name), declare)

    def queue_declare(
        self,
        name: str,
        dead_letter_exchange: str | None = None,
        expires_ms: int | None = None,
        exclusive: bool = False,
        quorum: bool = False,
    ) -> None:
        """Create the queue, now and after every reconnection."""
        arguments: dict[str, Any] = {}
        if dead_letter_exchange is not None:
            arguments["x-dead-letter-exchange"] = dead_letter_exchange
        if expires_ms is not None:
            arguments["x-expires"] = expires_ms
        if quorum:
            arguments["x-queue-type"] = "quorum"

        def declare(channel: Channel, done: Completion) -> None:
            channel.queue_declare(name, durable=True, exclusive=exclusive, arguments=arguments, callback=done)

        self._declare(("queue", name), declare)

    def queue_bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Bind the queue, now and after every reconnection."""

        def bind(channel: Channel, done: Completion) -> None:
            channel.queue_bind(queue, exchange, routing_key, callback=done)

        self._declare(("bind", queue, exchange, routing_key), bind)

    def exchange_delete(self, name: str) -> None:
        """Remove the exchange."""
        with self._changed:
            for key in list(self._declared):
                if key[:2] == ("exchange", name) or (key[0] == "bind" and key[2] == name):
                    del self._declared[key]
        self._call(lambda channel, done: channel.exchange_delete(name, callback=done))

    def queue_delete(self, queue: str, *, only_idle: bool = False) -> None:
        """Remove the queue."""

        def delete(channel: Channel, done: Completion) -> None:
            channel.queue_delete(queue, if_unused=only_idle, if_empty=only_idle, callback=done)

        with self._changed:
            for key in [key for key in self._declared if key[0] != "exchange" and key[1] == queue]:
                del self._declared[key]
        self._call(delete)

    def queue_purge(self, queue: str) -> int:
        """Empty the queue."""
        frame = self._call(lambda channel, done: channel.queue_purge(queue, callback=done))
        return int(frame.method.message_count)

    def queue_length(self, queue: str) -> int:
        """Count what waits."""
        frame = self._call(lambda channel, done: channel.queue_declare(queue, passive=True, callback=done))
        return int(frame.method.message_count)

    def _declare(self, key: tuple[str, ...], declaration: Declaration) -> None:
        self._call(declaration)
        with self._changed:
            self._declared[key] = declaration

    def _call(self, start: Declaration) -> Any:
        return self._connected(None).call(start, CALL_SECONDS)

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
        """Send a persistent message, again after a reconnection if the broker has not confirmed it."""
        message = _Pending(exchange, routing_key, body, dict(headers) if headers else None)
        with self._changed:
            self._pending.append(message)
        try:
            self._settle(self._confirm_buffer - 1, timeout)
        except AmqpError:
            with self._changed:
                message.withdrawn = True
                if message in self._pending:
                    self._pending.remove(message)
            raise

    def flush(self, *, timeout: float | None = None) -> None:
        """Wait for all confirms."""
        self._settle(0, timeout)

    def pending_count(self) -> int:
        """Count what is not confirmed."""
        with self._changed:
            return len(self._pending)

    def _settle(self, allowed: int, timeout: float | None) -> None:
        """Send what was not sent on the present link, wait until at most ``allowed`` are unconfirmed.

        The lock is never held while the link is asked for something: its thread needs the lock to answer.
        """
        deadline = _deadline(timeout)
        while self._pending:
            link = self._connected(deadline)
            with self._changed:
                self._send_unsent(link)
                if len(self._pending) <= allowed:
                    return
                self._check_stored()
                if not link.is_open:
                    continue
                self._changed.wait(_remaining(deadline))
                if not link.is_open:
                    self._after_loss(link.failure)
                    continue
                late = deadline is not None and time.monotonic() >= deadline
                if not late or len(self._pending) <= allowed:
                    continue
            if timeout is not None and timeout >= STALLED_SECONDS:
                link.abandon("the broker did not confirm in time")
            raise AmqpUnavailable("the broker did not confirm in time")

    def _check_stored(self) -> None:
        if self._not_stored:
            self._not_stored = False
            raise AmqpUnavailable("the broker could not store a message")

    def _send_unsent(self, link: Link) -> None:
        for message in self._pending:
            if message.epoch != link.epoch:
                message.epoch, message.number = link.epoch, 0
                # mypy does not type defaults of lambdas.
                link.post(lambda channel, message=message: message.send(link, channel))  # type: ignore[misc]

    def _after_loss(self, failure: AmqpError) -> None:
        """Raise a refusal that our own messages caused: sending them again would meet it again."""
        if isinstance(failure, AmqpRefused):
            guilty = [message for message in self._pending if f"'{message.exchange}'" in str(failure)]
            for message in guilty:
                self._pending.remove(message)
            if guilty:
                raise failure

    def _confirmed(self, epoch: int, number: int, multiple: bool, stored: bool) -> None:
        with self._changed:
            settled = [
                message
                for message in self._pending
                if message.epoch == epoch
                and message.number
                and (message.number == number or (multiple and message.number < number))
            ]
            for message in settled:
                if stored:
                    self._pending.remove(message)
                else:
                    message.epoch = 0
                    self._not_stored = True
            self._changed.notify_all()

    # Consuming

    def consume(self, queues: Sequence[str], *, prefetch: int = 100) -> Deliveries:
        """Subscribe to the queues, now and after every reconnection; the prefetch counts for each queue."""
        if self._subscription is not None:
            raise AmqpError("this client has a subscription already")
        link = self._connected(None)
        subscription = _Subscription(tuple(queues), prefetch)
        self._subscribe(link, subscription)
        with self._changed:
            self._subscription = subscription
        return Deliveries(self)

    def cancel(self) -> None:
        """End the subscription."""
        with self._changed:
            self._subscription = None
            link = self._link
        if link is None or not link.is_open:
            return
        for tag in list(self._consumer_tags):
            # mypy does not type defaults of lambdas.
            link.call(lambda channel, done, tag=tag: channel.basic_cancel(tag, callback=done), CALL_SECONDS)  # type: ignore[misc]
        with self._changed:
            waiting, self._inbox = list(self._inbox), deque()
        for delivery in waiting:
            self.reject(delivery, requeue=True)

    def next_delivery(self, timeout: float | None = None) -> Delivery | None:
        """Return the next message; reconnects when needed, which may take longer than the timeout."""
        deadline = _deadline(timeout)
        while True:
            link = self._link
            if link is None or not link.is_open:
                # However short the caller's patience, a connection attempt needs its time.
                patience = None if deadline is None else max(deadline, time.monotonic() + CONNECT_SECONDS)
                try:
                    self._connected(patience)
                except AmqpUnavailable:
                    if deadline is None or self._closed:
                        raise
                    return None
            with self._changed:
                if self._inbox:
                    return self._inbox.popleft()
                if self._subscription is None:
                    raise AmqpError("this client has no subscription")
                if deadline is not None and time.monotonic() >= deadline:
                    return None
                if self._link is not None and self._link.is_open:
                    self._changed.wait(_remaining(deadline))

    def get(self, queue: str) -> Delivery | None:
        """Fetch one message."""
        with self._get_lock:
            link = self._connected(None)
            answer = link.get(queue, CALL_SECONDS)
        if answer is None:
            return None
        return self._delivery(link, queue, *answer)

    def ack(self, delivery: Delivery, multiple: bool = False) -> None:
        """Remove the message for good; without effect after a reconnection, when it is redelivered."""
        with self._changed:
            link = self._link
            if link is None or delivery.epoch != link.epoch or delivery.tag not in self._outstanding:
                return
            if not multiple:
                tags = [delivery.tag]
            else:
                waiting = {waiting.tag for waiting in self._inbox}
                tags = sorted(t for t in self._outstanding if t <= delivery.tag and t not in waiting)
                if not waiting or min(waiting) > delivery.tag:
                    self._outstanding.difference_update(tags)
                    link.post(lambda channel: channel.basic_ack(delivery.tag, multiple=True))
                    return
            self._outstanding.difference_update(tags)
            for tag in tags:
                # mypy does not type defaults of lambdas.
                link.post(lambda channel, tag=tag: channel.basic_ack(tag))  # type: ignore[misc]

    def reject(self, delivery: Delivery, requeue: bool = False) -> None:
        """Give the message back or dead-letter it."""
        with self._changed:
            link = self._link
            if link is None or delivery.epoch != link.epoch or delivery.tag not in self._outstanding:
                return
            self._outstanding.discard(delivery.tag)
            link.post(lambda channel: channel.basic_reject(delivery.tag, requeue=requeue))

    def _subscribe(self, link: Link, subscription: _Subscription) -> None:
        link.call(
            lambda channel, done: channel.basic_qos(prefetch_count=subscription.prefetch, callback=done),
            CALL_SECONDS,
        )
        self._consumer_tags = [f"{link.epoch}.{at}" for at, _ in enumerate(subscription.queues)]
        for queue, consumer_tag in zip(subscription.queues, self._consumer_tags, strict=True):
            self._subscribe_queue(link, queue, consumer_tag)

    def _subscribe_queue(self, link: Link, queue: str, consumer_tag: str) -> None:
        def deliver(_: Any, method: Any, properties: Any, body: bytes) -> None:
            delivery = self._delivery(link, queue, method, properties, body)
            with self._changed:
                self._inbox.append(delivery)
                self._changed.notify_all()

        link.call(
            lambda channel, done: channel.basic_consume(
                queue, deliver, consumer_tag=consumer_tag, callback=done
            ),
            CALL_SECONDS,
        )

    def _delivery(self, link: Link, queue: str, method: Any, properties: Any, body: bytes) -> Delivery:
        with self._changed:
            self._outstanding.add(method.delivery_tag)
        return Delivery(
            queue=queue,
            exchange=method.exchange,
            routing_key=method.routing_key,
            body=body,
            headers=plain_headers(properties.headers or {}),
            redelivered=bool(method.redelivered),
            tag=method.delivery_tag,
            epoch=link.epoch,
        )

    # Connecting

    def close(self) -> None:
        """Say goodbye and drop what is pending."""
        with self._changed:
            self._closed = True
            link, self._link = self._link, None
            self._pending.clear()
            self._inbox.clear()
            self._subscription = None
            self._changed.notify_all()
        if link is not None:
            link.close()

    def _connected(self, deadline: float | None) -> Link:
        """Return an open link, connecting to one host after the other until the deadline or limit."""
        if self._pid != os.getpid():
            # After a fork the link's thread, and with it the connection, is the parent's.
            self._pid, self._link = os.getpid(), None
        link = self._link
        if link is not None and link.is_open:
            return link
        return self._reconnect(deadline)

    def _reconnect(self, deadline: float | None) -> Link:
        failure: AmqpError = AmqpUnavailable("not connected")
        attempt = 0
        while True:
            if self._closed:
                raise AmqpUnavailable("the client is closed")
            if deadline is not None and time.monotonic() >= deadline:
                raise AmqpUnavailable(f"no broker could be reached in time: {failure}")
            try:
                return self._attempt(deadline)
            except AmqpUnavailable as error:
                failure = error
            attempt += 1
            if self._max_attempts and attempt >= self._max_attempts:
                raise AmqpUnavailable(f"no broker could be reached in {attempt} attempts: {failure}")
            if attempt % len(self._parameters) == 0:
                self._back_off(attempt // len(self._parameters), deadline)

    def _attempt(self, deadline: float | None) -> Link:
        """Try the next host; raise `AmqpUnavailable` when it does not answer in time."""
        if not self._connecting.acquire(timeout=_step(deadline)):
            raise AmqpUnavailable("another thread is connecting")
        try:
            if self._link is not None and self._link.is_open:
                return self._link
            parameters = self._parameters[0]
            self._parameters.rotate(-1)
            parameters.socket_timeout = parameters.stack_timeout = _step(deadline)
            link = self._new_link(parameters)
            try:
                link.open(_step(deadline))
                for declaration in list(self._declared.values()):
                    link.call(declaration, _step(deadline))
                if self._subscription is not None:
                    self._subscribe(link, self._subscription)
            except AmqpError as error:
                logger.warning("broker %s:%s: %s", parameters.host, parameters.port, error)
                link.abandon(str(error))
                raise
            with self._changed:
                if self._closed:
                    link.abandon("the client is closed")
                    raise AmqpUnavailable("the client is closed")
                self._link = link
                self._changed.notify_all()
            return link
        finally:
            self._connecting.release()

    def _new_link(self, parameters: pika.URLParameters) -> Link:
        epoch = self._begin_epoch()
        return Link(
            parameters,
            epoch=epoch,
            on_confirm=lambda number, multiple, stored: self._confirmed(epoch, number, multiple, stored),
            on_down=self._wake,
        )

    def _begin_epoch(self) -> int:
        with self._changed:
            self._link = None
            self._epoch += 1
            self._inbox.clear()
            self._outstanding.clear()
            return self._epoch

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _back_off(self, passes: int, deadline: float | None) -> None:
        seconds = min(MAX_BACKOFF_SECONDS, 0.5 * 2 ** min(passes, 4)) * (0.5 + secrets.randbelow(1000) / 1000)
        remaining = _remaining(deadline)
        end = time.monotonic() + (seconds if remaining is None else min(seconds, remaining))
        with self._changed:
            while not self._closed and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def _step(deadline: float | None) -> float:
    """Return the seconds that one step of connecting may take."""
    remaining = _remaining(deadline)
    return CONNECT_SECONDS if remaining is None else max(0.05, min(CONNECT_SECONDS, remaining))


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
