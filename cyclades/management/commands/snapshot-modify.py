"""Change a snapshot."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import snapshots
from cyclades.management.snapshot_view import summary
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    umask = 0o007
    help = "Rename a snapshot or describe it anew; its file in the object store keeps its name."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("snapshot_id", metavar="UUID", help="Id of the snapshot.")
        add("--user", metavar="UUID|EMAIL", help="Act as this user instead of as the administrator.")
        add("--name", help="New name.")
        add("--description", help="New description.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] is None and options["description"] is None:
            raise CommandError("Nothing to change: give --name or --description")
        credentials = Credentials.administrator()
        if options["user"]:
            credentials = Credentials(user_id=users.uuid_of(options["user"]))
        snapshot = snapshots.update(
            credentials,
            snapshot_id=options["snapshot_id"],
            name=options["name"],
            description=options["description"],
        )
        self.print_show(summary(snapshot))
