"""One live connection to RabbitMQ, served by a thread of its own.

pika's blocking adapter has no bounded publish and waits for each confirm separately, so the callback adapter
runs in a thread: heartbeats are answered whatever the program does, and every wait of a caller is bounded.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker

from synnefo.amqp.client import AmqpError, AmqpRefused, AmqpUnavailable

logger = logging.getLogger(__name__)

CALL_SECONDS = 15.0
CLOSE_SECONDS = 2.0
HEARTBEAT_SECONDS = 30
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 10}
# The broker's answers that say "not now" rather than "never" (connection forced, resource locked, …).
TEMPORARY_CODES = frozenset({311, 320, 405, 501, 505, 506, 541})

Completion = Callable[[Any], None]


class Link:
    """A connection with one channel in confirm mode.

    on_confirm(number, multiple, stored) is called in the link's thread for each confirm, on_down() once, when
    the link has ended for any reason, in whatever thread noticed.
    """

    def __init__(
        self,
        parameters: pika.connection.Parameters,
        *,
        epoch: int,
        on_confirm: Callable[[int, bool, bool], None],
        on_down: Callable[[], None],
    ) -> None:
        self.epoch = epoch
        self.published = 0
        self._parameters = parameters
        self._on_confirm = on_confirm
        self._on_down = on_down
        self._opened: Future[None] = Future()
        self._calls: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._down: AmqpError | None = None
        self._get: Completion | None = None
        self._connection: pika.SelectConnection | None = None
        self._channel: Channel | None = None
        self._thread = threading.Thread(target=self._run, name=f"amqp-{epoch}", daemon=True)

    @property
    def is_open(self) -> bool:
        """Whether the link can be used."""
        return self._down is None and self._channel is not None

    @property
    def failure(self) -> AmqpError:
        """Why the link ended."""
        return self._down or AmqpUnavailable("the connection to the broker is closed")

    def open(self, timeout: float) -> None:
        """Connect; raise `AmqpUnavailable` or `AmqpRefused`. ``timeout`` in seconds."""
        self._thread.start()
        try:
            self._opened.result(timeout)
        except (FutureTimeout, TimeoutError):
            self._end(AmqpUnavailable(f"no answer within {timeout:.1f} s"))
            raise self.failure from None

    def post(self, action: Callable[[Channel], None]) -> None:
        """Have the thread do something with the channel; silently dropped once the link is down."""
        connection, channel = self._connection, self._channel
        if connection is None or channel is None or self._down is not None:
            return

        def run() -> None:
            if self._down is not None or not channel.is_open:
                return
            try:
                action(channel)
            except AMQPError as error:
                self._end(AmqpUnavailable(f"the connection broke: {error!r}"))

        with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
            connection.ioloop.add_callback_threadsafe(run)

    def call(self, start: Callable[[Channel, Completion], None], timeout: float | None) -> Any:
        """Do something with the channel that completes later; return what it completes with."""
        future: Future[Any] = Future()
        with self._lock:
            if self._down is not None:
                raise self.failure
            self._calls.add(future)
        self.post(lambda channel: start(channel, lambda result: _complete(future, result)))
        try:
            return future.result(timeout)
        except (FutureTimeout, TimeoutError):
            self._end(AmqpUnavailable("the broker did not answer in time"))
            raise self.failure from None
        finally:
            with self._lock:
                self._calls.discard(future)

    def get(self, queue: str, timeout: float | None) -> tuple[Any, Any, bytes] | None:
        """Fetch one message as (method, properties, body), None if the queue is empty."""

        def start(channel: Channel, done: Completion) -> None:
            self._get = done
            channel.basic_get(queue, lambda _, method, properties, body: done((method, properties, body)))

        result: tuple[Any, Any, bytes] | None = self.call(start, timeout)
        return result

    def close(self) -> None:
        """Say goodbye to the broker after what was posted before, at most `CLOSE_SECONDS`."""
        self.post(lambda channel: channel.connection.close())
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)
        self._end(AmqpUnavailable("the connection to the broker is closed"))

    def abandon(self, reason: str) -> None:
        """Give the connection up without waiting for anything."""
        self._end(AmqpUnavailable(reason))

    # In the link's thread

    def _run(self) -> None:
        connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._connection_open,
            on_open_error_callback=self._connection_failed,
            on_close_callback=self._connection_closed,
        )
        self._connection = connection
        try:
            if self._down is None:
                connection.ioloop.start()
        except Exception as error:  # noqa: BLE001  (the thread's edge: whatever broke ends the link)
            logger.warning("connection to the broker failed: %r", error)
            self._end(AmqpUnavailable(f"the connection broke: {error!r}"))
        finally:
            self._end(AmqpUnavailable("the connection to the broker is closed"))
            with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
                connection.ioloop.close()

    def _connection_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_open)

    def _channel_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_cancel_callback(self._consumer_cancelled)
        channel.add_callback(self._get_empty, [pika.spec.Basic.GetEmpty], one_shot=False)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._ready(channel))

    def _ready(self, channel: Channel) -> None:
        self._channel = channel
        _complete(self._opened, None)

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        stored = isinstance(method, pika.spec.Basic.Ack)
        self._on_confirm(method.delivery_tag, method.multiple, stored)

    def _get_empty(self, *_: Any) -> None:
        if self._get is not None:
            self._get(None)

    def _connection_failed(self, _: Any, error: BaseException | str) -> None:
        # Even a refused login may be one host's fault: the next host is tried.
        self._end(AmqpUnavailable(f"could not connect: {error!r}"))

    def _connection_closed(self, _: Any, error: BaseException) -> None:
        self._end(_classified(error))

    def _channel_closed(self, channel: Channel, error: Exception) -> None:
        self._end(_classified(error))

    def _consumer_cancelled(self, _: Any) -> None:
        self._end(AmqpUnavailable("the broker ended the subscription"))

    def _end(self, failure: AmqpError) -> None:
        with self._lock:
            if self._down is not None:
                return
            self._down = failure
            calls = list(self._calls)
        _fail(self._opened, failure)
        for future in calls:
            _fail(future, failure)
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError, ValueError, AttributeError, RuntimeError):
                connection.ioloop.add_callback_threadsafe(lambda: _shut(connection))
        self._on_down()


def _shut(connection: pika.SelectConnection) -> None:
    if not connection.is_open and not connection.is_closing:
        connection.ioloop.stop()
        return
    # The channel's end is told before the connection's: without its goodbye the socket would stay open.
    connection.ioloop.call_later(CLOSE_SECONDS, connection.ioloop.stop)
    connection.add_on_close_callback(lambda *_: connection.ioloop.stop())
    if connection.is_open:
        connection.close()


def _complete(future: Future[Any], result: Any) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_result(result)


def _fail(future: Future[Any], error: AmqpError) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)


def _classified(error: BaseException) -> AmqpError:
    if isinstance(error, (ChannelClosedByBroker, ConnectionClosedByBroker)):
        if error.reply_code not in TEMPORARY_CODES:
            return AmqpRefused(error.reply_code, error.reply_text)
        return AmqpUnavailable(f"the broker closed the connection: {error.reply_code} {error.reply_text}")
    return AmqpUnavailable(f"the connection broke: {error!r}")


def parameters_of(url: str, name: str) -> pika.URLParameters:
    """Return how to connect to a URL; ``name`` is shown in the broker's list of connections."""
    parameters = pika.URLParameters(url)
    if "heartbeat=" not in url:
        parameters.heartbeat = HEARTBEAT_SECONDS
    parameters.connection_attempts = 1
    parameters.retry_delay = 0
    parameters.blocked_connection_timeout = CALL_SECONDS
    parameters.tcp_options = dict(KEEPALIVE)
    if name:
        parameters.client_properties = {"connection_name": name}
    return parameters


def plain_headers(value: Any) -> Any:
    """Return headers with times as seconds since the epoch, so that they can be sent again."""
    if isinstance(value, datetime.datetime):
        return int(value.replace(tzinfo=value.tzinfo or datetime.UTC).timestamp())
    if isinstance(value, dict):
        return {key: plain_headers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_headers(item) for item in value]
    return value
