"""Try dead letters again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.dispatcher import queue_tools
from synnefo import amqp
from synnefo.management.base import EXIT_UNAVAILABLE, SynnefoCommand


class Command(SynnefoCommand):
    help = "Publish the messages of all dead-letter queues again; those that died twice are dropped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep-zombies", action="store_true", help="Also try those again that died before."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with queue_tools.connect() as client:
                results = queue_tools.retry(client, keep_zombies=options["keep_zombies"], note=self.say)
        except amqp.AmqpRefused as error:
            raise CommandError(f"{error}. Has a dispatcher ever run here?") from error
        except amqp.AmqpError as error:
            raise CommandError(f"The broker does not answer: {error}", returncode=EXIT_UNAVAILABLE) from error
        self.print_table(
            ("queue", "republished", "dropped"),
            [(result.queue, result.republished, result.dropped) for result in results],
        )
