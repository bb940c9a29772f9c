"""Show the messages of a queue."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.dispatcher import queue_tools
from synnefo import amqp
from synnefo.management import tables
from synnefo.management.base import EXIT_UNAVAILABLE, SynnefoCommand


class Command(SynnefoCommand):
    help = "Print the messages of a queue. They stay there unless --no-requeue or -i says otherwise."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", help="Name of the queue, such as snf-events-op-dl.")
        parser.add_argument("--no-requeue", action="store_true", help="Remove the messages.")
        parser.add_argument(
            "-i", "--interactive", action="store_true", help="Ask for each message whether to delete it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with queue_tools.connect() as client:
                client.queue_length(options["queue"])
                for delivery in queue_tools.messages_of(client, options["queue"]):
                    self.stdout.write(tables.json_text(queue_tools.describe(delivery)), ending="")
                    if options["no_requeue"] or (options["interactive"] and self._unwanted()):
                        client.ack(delivery)
        except amqp.AmqpRefused as error:
            raise CommandError(f"{options['queue']}: {error}") from error
        except amqp.AmqpError as error:
            raise CommandError(f"The broker does not answer: {error}", returncode=EXIT_UNAVAILABLE) from error

    def _unwanted(self) -> bool:
        self.stderr.write("Delete this message (N/y)? ", ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
