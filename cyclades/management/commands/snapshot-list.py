"""List snapshots."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import snapshots
from cyclades.management.snapshot_view import LIST_FIELDS, summary
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    umask = 0o007
    help = "List snapshots, newest first: all of them, or those that a user can see."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("arguments", nargs="*", help="List commands take no arguments.")
        add("-u", "--user", dest="user", metavar="UUID|EMAIL", help="What this user can see.")
        add("--public", action="store_true", help="Public snapshots only.")
        add("--no-headers", action="store_true", help="Leave the header line out (pretty and csv).")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["arguments"]:
            raise CommandError("List commands do not accept any argument")
        credentials = Credentials.administrator()
        if options["user"]:
            credentials = Credentials(user_id=users.uuid_of(options["user"]))
        found = [s for s in snapshots.list_all(credentials) if s.is_public or not options["public"]]
        found.sort(key=lambda snapshot: snapshot.created_at, reverse=True)
        rows = [[summary(snapshot)[name] for name in LIST_FIELDS] for snapshot in found]
        self.print_table(LIST_FIELDS, rows, show_headers=not options["no_headers"])
