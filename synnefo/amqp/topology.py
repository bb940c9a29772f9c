"""Exchanges, queues and bindings between Ganeti and the dispatcher (ganeti-backend contract 4)."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo.amqp.client import Client
from synnefo.messages import CLUSTER_ROUTING_KEY, HEARTBEAT_ROUTING_KEY

DISPATCHER_QUEUE_EXPIRES_MS = 600_000
HEARTBEAT_QUEUE_EXPIRES_MS = 120_000


@dataclass(frozen=True)
class QueueBinding:
    """One main queue, the key it is bound with, and the handler's kind of message."""

    queue: str
    routing_key: str
    kind: str

    @property
    def dead_letter_queue(self) -> str:
        """The queue of rejected messages."""
        return f"{self.queue}-dl"


@dataclass(frozen=True)
class Topology:
    """All names of one installation.

    prefix: `BACKEND_PREFIX_ID`, of which only the word before the first dash counts.
    exchange: `EXCHANGE_GANETI`.
    debug: also bind a queue that receives every message.
    quorum: use RabbitMQ's replicated queues, under names of their own because a queue's type can't change.
    """

    prefix: str = "snf-"
    exchange: str = "ganeti"
    debug: bool = False
    quorum: bool = False

    @property
    def word(self) -> str:
        """The word in queue names and routing keys."""
        return self.prefix.split("-", 1)[0]

    @property
    def dead_letter_exchange(self) -> str:
        """Where rejected messages go."""
        return f"{self.exchange}-dl"

    def queues(self) -> tuple[QueueBinding, ...]:
        """Return the main queues with their bindings."""
        suffix = "-q" if self.quorum else ""
        keys = [
            ("op", f"ganeti.{self.word}.event.op"),
            ("network", f"ganeti.{self.word}.event.network"),
            ("progress", f"ganeti.{self.word}.event.progress"),
            ("cluster", CLUSTER_ROUTING_KEY),
        ]
        bindings = [QueueBinding(f"{self.word}-events-{kind}{suffix}", key, kind) for kind, key in keys]
        if self.debug:
            bindings.append(QueueBinding(f"{self.word}-debug{suffix}", "#", "debug"))
        return tuple(bindings)

    def dispatcher_queue(self, host: str, pid: int) -> str:
        """Return the name of a dispatcher's own request queue."""
        return f"{self.word}:dispatcher:{host}:{pid}"

    def heartbeat_queue(self, host: str, pid: int) -> str:
        """Return the name of a dispatcher's temporary queue of event daemon heartbeats."""
        return f"{self.word}:dispatcher:heartbeat:{host}:{pid}"

    def check_queue(self, host: str, pid: int) -> str:
        """Return the name of the reply queue of a status check."""
        return f"{self.word}:check_tool:{host}:{pid}"

    def declare_exchange(self, client: Client) -> None:
        """Create what publishers need."""
        client.exchange_declare(self.exchange, "topic")

    def declare(self, client: Client) -> None:
        """Create exchanges, main queues, dead-letter queues and bindings."""
        client.exchange_declare(self.exchange, "topic")
        client.exchange_declare(self.dead_letter_exchange, "topic")
        for binding in self.queues():
            client.queue_declare(binding.dead_letter_queue, quorum=self.quorum)
            client.queue_bind(binding.dead_letter_queue, self.dead_letter_exchange, binding.routing_key)
            client.queue_declare(
                binding.queue, dead_letter_exchange=self.dead_letter_exchange, quorum=self.quorum
            )
            client.queue_bind(binding.queue, self.exchange, binding.routing_key)

    def declare_heartbeat_queue(self, client: Client, host: str, pid: int) -> str:
        """Create a temporary queue that receives heartbeats; return its name."""
        name = self.heartbeat_queue(host, pid)
        client.exchange_declare(self.exchange, "topic")
        client.queue_declare(name, expires_ms=HEARTBEAT_QUEUE_EXPIRES_MS)
        client.queue_bind(name, self.exchange, HEARTBEAT_ROUTING_KEY)
        return name

    def declare_dispatcher_queue(self, client: Client, host: str, pid: int) -> str:
        """Create a dispatcher's own request queue (default exchange); return its name."""
        name = self.dispatcher_queue(host, pid)
        client.queue_declare(name, expires_ms=DISPATCHER_QUEUE_EXPIRES_MS)
        return name
