"""Destroy servers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import server_actions
from cyclades.management.arguments import find_server
from cyclades.management.waiting import follow
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError
from synnefo.management.base import EXIT_USER_ERROR, RemoveCommand, add_wait_option


class Command(RemoveCommand):
    help = "Destroy servers."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("server_ids", nargs="+", metavar="ID", help="Ids, or names of Ganeti instances.")
        add_wait_option(parser, default=True)

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "servers", options["server_ids"])
        failed = False
        for text in options["server_ids"]:
            try:
                server = find_server(text)
                intent = server_actions.destroy(Credentials.administrator(), server_id=server.pk)
                follow(self, intent, wait=options["wait"])
            except SynnefoError as error:
                self.stderr.write(f"Error -- {text}: {error.message}")
                failed = True
            except CommandError as error:
                self.stderr.write(f"Error -- {error}")
                failed = True
        if failed:
            raise CommandError("Some servers were not removed", returncode=EXIT_USER_ERROR)
