"""Asking a running dispatcher how it and the clusters' event daemons are (Ganeti contract 9.6)."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from typing import Any

from django.conf import settings

from cyclades.ganeti import clients, side_by_side
from cyclades.models import Backend
from synnefo import messages
from synnefo.amqp import Client, Delivery
from synnefo.amqp.topology import Topology
from synnefo.errors import ServiceUnavailable

log = logging.getLogger(__name__)

_COLLECT_SECONDS = 5.0
#: With the time to connect and to collect, less than whoever asks waits for the result.
_PROBE_SECONDS = 10.0
_STARTED_SECONDS = 10.0
_RESULT_SECONDS = 30.0


def _topology() -> Topology:
    return Topology(prefix=settings.BACKEND_PREFIX_ID, exchange=settings.EXCHANGE_GANETI)


class Responder:
    """The dispatcher's side: answers requests that arrive in its own queue."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._topology = _topology()

    def declare(self) -> str:
        """Create the queue of requests and return its name."""
        return self._topology.declare_dispatcher_queue(self._client, socket.getfqdn(), os.getpid())

    def answer(self, delivery: Delivery) -> None:
        """Answer one request; what makes no sense gets ``failed``."""
        try:
            request = json.loads(delivery.body)
            queue = request["reply_to"]
            known = request["action"] == "status-check" and isinstance(queue, str)
        except (ValueError, KeyError, TypeError):
            log.warning("a request without a reply queue is dropped")
            return
        if not known:
            self._reply(queue, {"status": "failed", "reason": "Invalid request"})
            return
        self._reply(queue, {"action": "status-check", "status": "started"})
        self._reply(queue, {"action": "status-check", "status": self._check()})

    def _reply(self, queue: Any, content: dict[str, Any]) -> None:
        if isinstance(queue, str):
            self._client.publish("", queue, json.dumps(content).encode())

    def _check(self) -> dict[str, dict[str, str]]:
        queue = self._topology.declare_heartbeat_queue(self._client, socket.getfqdn(), os.getpid())
        # Side by side: clusters that hang must not add up to more than the asker waits.
        backends = list(Backend.objects.filter(offline=False).order_by("pk"))
        probed = zip(backends, side_by_side.on_each(backends, _probe), strict=True)
        result = {backend.clustername: {"RAPI": rapi, "eventd": "fail"} for backend, rapi in probed}
        deadline = time.monotonic() + _COLLECT_SECONDS
        while time.monotonic() < deadline and any(v["eventd"] == "fail" for v in result.values()):
            delivery = self._client.get(queue)
            if delivery is None:
                time.sleep(0.1)
                continue
            self._client.ack(delivery)
            try:
                heartbeat = messages.decode(delivery.body)
            except messages.MessageError:
                continue
            if isinstance(heartbeat, messages.Heartbeat) and heartbeat.cluster in result:
                result[heartbeat.cluster]["eventd"] = "ok"
        self._client.queue_delete(queue)
        return result


def _probe(backend: Backend) -> str:
    tag = f"snf:eventd:heartbeat:{socket.getfqdn()}:{os.getpid()}"
    try:
        with clients.rapi_for(backend) as rapi:
            rapi.AddClusterTags([tag], dry_run=True, read_timeout=_PROBE_SECONDS)
    except (ServiceUnavailable, clients.GanetiApiError) as error:
        log.warning("backend %s: %s", backend.clustername, error)
        return "fail"
    return "ok"


def check(client: Client, pid: int) -> dict[str, dict[str, str]] | None:
    """Ask the dispatcher with *pid* on this host; ``None`` when it does not answer in time."""
    topology = _topology()
    queue = topology.check_queue(socket.getfqdn(), os.getpid())
    client.queue_declare(queue, exclusive=True)
    request = {"action": "status-check", "reply_to": queue}
    client.publish("", topology.dispatcher_queue(socket.getfqdn(), pid), json.dumps(request).encode())
    started = _await(client, queue, _STARTED_SECONDS)
    if started is None or started.get("status") != "started":
        return None
    result = _await(client, queue, _RESULT_SECONDS)
    status = result.get("status") if result is not None else None
    return status if isinstance(status, dict) else None


def _await(client: Client, queue: str, seconds: float) -> dict[str, Any] | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        delivery = client.get(queue)
        if delivery is None:
            time.sleep(0.1)
            continue
        client.ack(delivery)
        content = json.loads(delivery.body)
        return content if isinstance(content, dict) else None
    return None
