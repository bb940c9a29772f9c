"""What administrators do to the queues, from ``snf-dispatcher``'s options and the queue commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from cyclades.dispatcher import status_check as checking
from cyclades.dispatcher.consumer import topology
from synnefo import amqp
from synnefo.amqp import Client, Delivery

_ZOMBIE_HEADER = "from-dead-letter"


def connect() -> Client:
    """Return a client of the configured broker, for one short job."""
    return amqp.connect(settings.AMQP_HOSTS, max_attempts=2, name="snf-manage")


def _confirmed(question: str) -> bool:
    sys.stderr.write(f"{question} Are you sure (N/y): ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def purge(*, exchanges: bool) -> int:
    """Delete all queues without messages and consumers (and the exchanges); return the exit status."""
    if not _confirmed("Queues are going to be deleted."):
        return 1
    status = 0
    with connect() as client:
        for binding in topology().queues():
            for queue in (binding.queue, binding.dead_letter_queue):
                try:
                    _delete_idle(client, queue)
                except amqp.AmqpRefused as error:
                    sys.stderr.write(f"{queue} stays: {error}\n")
                    status = 1
        if exchanges and status:
            sys.stderr.write("the exchanges stay with the queues that use them\n")
        elif exchanges:
            for exchange in (topology().exchange, topology().dead_letter_exchange):
                client.exchange_delete(exchange)
    return status


def _delete_idle(client: Client, queue: str) -> None:
    """Delete a queue; raise ``AmqpRefused`` if it has messages or, unless it is replicated, consumers."""
    if not topology().quorum:
        # Judged by the broker itself: a message may arrive at any time.
        client.queue_delete(queue, only_idle=True)
        return
    try:
        waiting = client.queue_length(queue)
    except amqp.AmqpRefused:
        return
    if waiting:
        raise amqp.AmqpRefused(406, f"{waiting} messages wait in it")
    # Of replicated queues the broker judges nothing.
    client.queue_delete(queue)


def drain(queue: str) -> int:
    """Drop all messages of *queue*; return the exit status."""
    if not _confirmed(f"All messages of {queue} are going to be lost."):
        return 1
    with connect() as client:
        try:
            sys.stdout.write(f"{client.queue_purge(queue)} messages dropped\n")
        except amqp.AmqpRefused as error:
            sys.stderr.write(f"{queue}: {error}\n")
            return 1
    return 0


def status_check(pid_file: str) -> int:
    """Print how the dispatcher of *pid_file*, RAPI and the event daemons are; 1 when something is not."""
    try:
        pid = int(Path(pid_file).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no dispatcher runs with {pid_file}: {error}\n")
        return 1
    sys.stdout.write(f"dispatcher pid: {pid}\n")
    try:
        with connect() as client:
            result = checking.check(client, pid)
    except amqp.AmqpError as error:
        sys.stderr.write(f"the broker does not answer: {error}\n")
        return 1
    sys.stdout.write(f"AMQP -> dispatcher: {'fail' if result is None else 'ok'}\n")
    if result is None:
        return 1
    for cluster, parts in sorted(result.items()):
        for part, state in parts.items():
            sys.stdout.write(f"{cluster}: {part}: {state}\n")
    return int(any(state != "ok" for parts in result.values() for state in parts.values()))


@dataclass(frozen=True)
class Retried:
    """What ``retry`` did with the messages of one dead-letter queue."""

    queue: str
    republished: int
    dropped: int


def messages_of(client: Client, queue: str) -> Iterator[Delivery]:
    """Yield every message of *queue*; what is not acknowledged goes back when the client closes."""
    while True:
        delivery = client.get(queue)
        if delivery is None:
            return
        yield delivery


def describe(delivery: Delivery) -> dict[str, Any]:
    """Return a message as operators are shown it."""
    try:
        body: Any = json.loads(delivery.body)
    except ValueError:
        body = delivery.body.decode("utf-8", "replace")
    return {
        "exchange": delivery.exchange,
        "routing_key": delivery.routing_key,
        "redelivered": delivery.redelivered,
        "headers": dict(delivery.headers),
        "body": body,
    }


def retry(client: Client, *, keep_zombies: bool, note: Callable[[str], None]) -> list[Retried]:
    """Publish the messages of all dead-letter queues again where they came from.

    One that died a second time is dropped unless *keep_zombies*; so is what is not JSON or does not say
    where it came from.
    """
    results = []
    for binding in topology().queues():
        republished = dropped = 0
        # Counted first: a message that dies again meanwhile must not be taken in circles.
        for _ in range(client.queue_length(binding.dead_letter_queue)):
            delivery = client.get(binding.dead_letter_queue)
            if delivery is None:
                break
            reason = _republish(client, delivery, keep_zombies=keep_zombies)
            client.ack(delivery)
            republished += not reason
            dropped += bool(reason)
            if reason:
                note(f"{binding.dead_letter_queue}: dropped a message {reason}")
        results.append(Retried(binding.dead_letter_queue, republished, dropped))
    return results


def _republish(client: Client, delivery: Delivery, *, keep_zombies: bool) -> str:
    """Publish one dead letter again; return why it is dropped instead, or nothing."""
    try:
        json.loads(delivery.body)
    except ValueError:
        return "that is not JSON"
    if delivery.headers.get(_ZOMBIE_HEADER) and not keep_zombies:
        return "that died before"
    deaths = delivery.headers.get("x-death")
    if not isinstance(deaths, list) or not deaths or not deaths[0].get("routing-keys"):
        return "of unknown origin"
    client.publish(
        str(deaths[0].get("exchange", "")),
        str(deaths[0]["routing-keys"][0]),
        delivery.body,
        headers={_ZOMBIE_HEADER: True},
    )
    client.flush()
    return ""
