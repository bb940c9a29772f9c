"""The dispatcher's life: consuming, repairing beside it, surviving what is away."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

import prometheus_client
from django.conf import settings
from django.db import close_old_connections, connections

from cyclades.dispatcher.consumer import Consumer, DatabaseAway
from cyclades.dispatcher.status_check import Responder
from cyclades.ganeti import repair
from cyclades.logic import upkeep
from synnefo import amqp, request_id
from synnefo.amqp import AmqpError
from synnefo.service_status import notify_systemd, write_health

log = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0
_LONGEST_PAUSE = 10.0


class _Report(Protocol):
    @property
    def changed(self) -> bool: ...


class Dispatcher:
    """Consumes Ganeti's messages until it is told to stop, and repairs what messages missed."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._client: amqp.Client | None = None
        self._consumer: Consumer | None = None
        self._responder: Responder | None = None
        self._failures = 0

    def stop(self) -> None:
        """Finish the batch in hand and return from ``run``; may be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until ``stop``."""
        if settings.DISPATCHER_METRICS_PORT:
            prometheus_client.start_http_server(settings.DISPATCHER_METRICS_PORT, addr="127.0.0.1")
        periodic = [threading.Thread(target=self._keep_house, name="repair", daemon=True)]
        if settings.DISPATCHER_RECONCILE_SECONDS > 0:
            periodic.append(threading.Thread(target=self._reconcile, name="reconcile", daemon=True))
        for thread in periodic:
            thread.start()
        notify_systemd("READY=1")
        log.info("the dispatcher is ready")
        try:
            while not self._stopping.is_set():
                write_health(settings.DISPATCHER_HEALTH_FILE, {})
                notify_systemd("WATCHDOG=1")
                self._step()
        finally:
            notify_systemd("STOPPING=1")
            self._stopping.set()
            self.close()
            for thread in periodic:
                thread.join(timeout=_LONGEST_PAUSE)
            log.info("the dispatcher has ended")

    def run_once(self, timeout: float = 0.0) -> int:
        """Handle one batch and return its size; for tests and for ``run``.

        Raises ``AmqpError`` and ``DatabaseAway``; after either, ``close`` before going on.
        """
        if self._consumer is None:
            self._client = amqp.connect(settings.AMQP_HOSTS, max_attempts=3, name="snf-dispatcher")
            self._responder = Responder(self._client)
            self._consumer = Consumer(self._client, control=self._responder)
        return self._consumer.run_once(timeout)

    def close(self) -> None:
        """End the connection: what was not acknowledged is delivered again."""
        client, self._client, self._consumer, self._responder = self._client, None, None, None
        if client is not None:
            try:
                client.close()
            except AmqpError as error:
                log.info("the broker's connection did not end well: %s", error)

    def _step(self) -> None:
        # A connection that the database ended meanwhile is replaced before it is needed.
        close_old_connections()
        try:
            self.run_once(_IDLE_SECONDS)
            self._failures = 0
        except AmqpError as error:
            self._recover("the broker", error)
        except DatabaseAway as error:
            self._recover("the database", error)
        except Exception as error:
            log.exception("unexpected failure of the dispatcher")
            self._recover("something unexpected", error)

    def _recover(self, what: str, error: Exception) -> None:
        self.close()
        connections.close_all()
        self._failures += 1
        pause = min(_LONGEST_PAUSE, 0.25 * 2 ** min(self._failures, 8)) * random.uniform(0.5, 1)  # noqa: S311
        log.warning("%s failed, next attempt in %.1f s: %s", what, pause, error)
        self._stopping.wait(pause)

    def _keep_house(self) -> None:
        """Run the repair task at intervals, in a thread of its own because Ganeti may be slow."""
        self._at_intervals(settings.DISPATCHER_REPAIR_SECONDS, "repaired", repair.run_once)

    def _reconcile(self) -> None:
        """Compare everything with the clusters at longer intervals, in a thread of its own."""
        self._at_intervals(settings.DISPATCHER_RECONCILE_SECONDS, "reconciled", upkeep.run_once)

    def _at_intervals(self, seconds: int, done: str, task: Callable[[], _Report | None]) -> None:
        while not self._stopping.wait(seconds * random.uniform(0.8, 1.2)):  # noqa: S311
            started = time.monotonic()
            with request_id.bound(request_id.new()):
                try:
                    report = task()
                    if report is not None and report.changed:
                        log.info("%s in %.1f s: %s", done, time.monotonic() - started, report)
                except Exception:
                    log.exception("a periodic task failed")
                finally:
                    connections.close_all()
