"""Takes a node's requests one after the other and tells the dispatcher what became of them.

A request is taken off the queue at once, because a copy may take longer than a broker waits; whoever asked
asks again when nothing is heard. Doing a request twice gives the same blocks and the same map.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gtools.snapshots import sources, storing
from gtools.snapshots.errors import DiskChanged, SnapshotError
from pithos.blocks import BlockStore
from synnefo import amqp, snapshot_requests
from synnefo.messages import OpStatus, event_time_now, routing_key_of
from synnefo.snapshot_requests import SnapshotRequest

logger = logging.getLogger("snf-snapshot-agent")

#: How often a long copy says that it goes on.
WORD_SECONDS = 30.0
#: So many per cent more, and so many seconds after the last word, are worth another.
STEP, STEP_SECONDS = 10, 2.0
_ATTEMPTS = 3
_PAUSES = (1.0, 5.0, 15.0, 30.0)


class Stopped(Exception):
    """The agent is to end; who asked for the copy asks again."""


@dataclass(frozen=True)
class AgentOptions:
    """What an agent needs to know.

    nodes: Ganeti's names of the nodes whose requests it takes, normally its own.
    exchange: where the dispatcher listens. simulated: disks are empty, there is nothing to read.
    """

    nodes: tuple[str, ...]
    exchange: str
    places: sources.Places
    simulated: bool = False


class Agent:
    """Copies disks into the object store."""

    def __init__(
        self, options: AgentOptions, *, connect: Callable[[], amqp.Client], store: BlockStore
    ) -> None:
        self._options = options
        self._connect = connect
        self._store = store
        self._client: amqp.Client | None = None
        self._stopping = threading.Event()
        self._last_word = 0.0
        self._told = 0

    def stop(self) -> None:
        """End soon; may be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until ``stop``."""
        sources.clear(self._options.places)
        failures = 0
        while not self._stopping.is_set():
            try:
                self.run_once(timeout=2.0)
                failures = 0
            except Stopped:
                break
            except amqp.AmqpError as error:
                self.close()
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                failures += 1
                logger.warning("the broker failed, next attempt in %.0f s: %s", pause, error)
                self._stopping.wait(pause)
        self.close()

    def run_once(self, timeout: float = 0.0) -> bool:
        """Do one request, if one comes within ``timeout`` seconds; raise `AmqpError`."""
        client = self._connected()
        delivery = client.next_delivery(timeout)
        if delivery is None:
            return False
        client.ack(delivery)
        try:
            request = snapshot_requests.decode(delivery.body)
        except snapshot_requests.RequestError as error:
            logger.error("dropped a message: %s", error)
            return True
        self._serve(request)
        return True

    def close(self) -> None:
        """End the connection."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close()
            except amqp.AmqpError as error:
                logger.info("the connection did not end well: %s", error)

    def _connected(self) -> amqp.Client:
        if self._client is None:
            client = self._connect()
            client.exchange_declare(self._options.exchange)
            queues: Sequence[str] = [
                snapshot_requests.declare_queue(client, node) for node in self._options.nodes
            ]
            client.consume(queues, prefetch=1)
            logger.info("takes requests for %s", ", ".join(self._options.nodes))
            self._client = client
        return self._client

    def _serve(self, request: SnapshotRequest) -> None:
        logger.info("snapshot %s of %s (%s) begins", request.snapshot_id, request.disk, request.instance)
        self._tell(request, "running")
        try:
            mapfile = self._copy(request)
        except SnapshotError as error:
            logger.error("snapshot %s failed: %s", request.snapshot_id, error)
            self._tell(request, "error", reason=str(error))
            return
        logger.info("snapshot %s is stored as %s", request.snapshot_id, mapfile)
        self._tell(request, "success", mapfile=mapfile)

    def _copy(self, request: SnapshotRequest) -> str:
        if self._options.simulated:
            return self._empty_map(request)
        for attempt in range(_ATTEMPTS):
            try:
                with sources.opened(request, self._options.places, lambda: self._alive(request)) as path:
                    return storing.store_disk(
                        self._store, path, request.size, lambda share: self._alive(request, share)
                    )
            except DiskChanged as error:
                logger.warning("snapshot %s begins again: %s", request.snapshot_id, error)
                if attempt == _ATTEMPTS - 1:
                    raise
        raise SnapshotError("the disk does not come to rest")

    def _empty_map(self, request: SnapshotRequest) -> str:
        blocks = -(-request.size // self._store.block_size)
        return self._store.put_map([self._store.empty] * blocks) or ""

    def _alive(self, request: SnapshotRequest, share: float = 0.0) -> None:
        """Say now and then that the copy goes on, and with every tenth; raise `Stopped` when it shall not."""
        if self._stopping.is_set():
            raise Stopped
        percent = int(share * 100)
        since = time.monotonic() - self._last_word
        if since >= WORD_SECONDS or (since >= STEP_SECONDS and percent >= self._told + STEP):
            self._tell(request, "running", progress=percent)

    def _tell(
        self,
        request: SnapshotRequest,
        status: str,
        *,
        mapfile: str | None = None,
        reason: str | None = None,
        progress: int = 0,
    ) -> None:
        message = OpStatus(
            operation=snapshot_requests.OPERATION,
            status=status,
            job_id=request.job_id,
            event_time=event_time_now(),
            cluster=request.cluster,
            logmsg=reason,
            instance=request.instance,
            job_fields=snapshot_requests.outcome_fields(request, mapfile, progress),
        )
        client = self._connected()
        client.publish(self._options.exchange, routing_key_of(message), message.encode())
        client.flush()
        self._last_word = time.monotonic()
        self._told = progress
