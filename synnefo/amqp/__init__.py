"""Messaging with RabbitMQ or an embedded broker behind one interface; free of Django.

`connect` chooses by URL: ``amqp://`` and ``amqps://`` speak to RabbitMQ, ``embedded:///path`` uses a durable
broker in one SQLite file that several processes of one machine share.
"""

from __future__ import annotations

from collections.abc import Sequence

from synnefo.amqp.client import AmqpError, AmqpRefused, AmqpUnavailable, Client, Deliveries, Delivery

__all__ = [
    "AmqpError",
    "AmqpRefused",
    "AmqpUnavailable",
    "Client",
    "Deliveries",
    "Delivery",
    "connect",
]


def connect(
    hosts: Sequence[str], *, max_attempts: int = 30, confirm_buffer: int = 1, name: str = ""
) -> Client:
    """Return a client; the connection itself is made when it is first needed.

    hosts: URLs, all of one kind; several RabbitMQ hosts are tried in turn.
    max_attempts: connection attempts before `AmqpUnavailable`, 0 for no limit.
    confirm_buffer: messages that may be sent before waiting for their confirms.
    name: shown in the broker's list of connections.
    """
    if not hosts:
        raise ValueError("AMQP_HOSTS must name at least one broker")
    schemes = {host.split("://", 1)[0] for host in hosts}
    if schemes == {"embedded"}:
        from synnefo.amqp.embedded import EmbeddedClient

        if len(hosts) > 1:
            raise ValueError("AMQP_HOSTS may name only one embedded broker")
        return EmbeddedClient(hosts[0], name=name)
    if schemes <= {"amqp", "amqps"}:
        from synnefo.amqp.rabbitmq import RabbitClient

        return RabbitClient(hosts, max_attempts=max_attempts, confirm_buffer=confirm_buffer, name=name)
    raise ValueError("AMQP_HOSTS must be amqp://, amqps:// or embedded:// URLs, all of one kind")
