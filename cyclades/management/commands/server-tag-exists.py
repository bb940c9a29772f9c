"""Look for a tag on a server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.arguments import find_server
from cyclades.management.server_view import tag_rows
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Show a server's tag with its status and namespace; nothing when the server does not have it. "
        "PENDADD means that Ganeti does not have it yet. Example: snf-manage server-tag-exists 42 blue"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("server_id", metavar="ID", help="Id, or name of the Ganeti instance.")
        parser.add_argument("tag", help="The tag, without its namespace.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [row for row in tag_rows(find_server(options["server_id"])) if row[0] == options["tag"]]
        if rows:
            self.print_table(("tag", "status", "namespace"), rows)
