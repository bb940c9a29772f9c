"""Show a server as the database has it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.arguments import find_server
from cyclades.management.server_view import summary, tag_rows
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a server as the database has it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("server_id", metavar="ID", help="Id, or name of the Ganeti instance.")

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server_id"])
        tags = tag_rows(server)
        if self.style_name == "json":
            self.print_show(summary(server) | {"tags": [list(row) for row in tags]})
            return
        self.print_show(summary(server))
        if tags:
            self.print_table(("tag", "status", "namespace"), tags, title="Tags")
