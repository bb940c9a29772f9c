"""List images."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import images
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

HEADERS = ("id", "name", "user.uuid", "public", "snapshot")


class Command(SynnefoCommand):
    umask = 0o007
    help = "List images, newest first: all of them, or those that a user can see."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("arguments", nargs="*", help="List commands take no arguments.")
        add("-u", "--user", "--user-id", dest="user", metavar="UUID|EMAIL", help="What this user can see.")
        add("--public", action="store_true", help="Public images only.")
        add("--no-headers", action="store_true", help="Leave the header line out (pretty and csv).")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["arguments"]:
            raise CommandError("List commands do not accept any argument")
        credentials = Credentials.administrator()
        if options["user"]:
            credentials = Credentials(user_id=users.uuid_of(options["user"]))
        found = [i for i in images.list_images(credentials) if i.is_public or not options["public"]]
        rows = [(i.id, i.name, i.owner, i.is_public, i.is_snapshot) for i in found]
        self.print_table(HEADERS, rows, show_headers=not options["no_headers"])
