"""Delete snapshots."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import snapshots
from cyclades.management.several import for_each
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    umask = 0o007
    help = "Delete snapshots with their files. Servers and volumes made of them stay."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("snapshot_ids", nargs="+", metavar="UUID", help="Ids of snapshots.")
        parser.add_argument(
            "--user", metavar="UUID|EMAIL", help="Act as this user instead of as the administrator."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "snapshots", options["snapshot_ids"])
        credentials = Credentials.administrator()
        if options["user"]:
            credentials = Credentials(user_id=users.uuid_of(options["user"]))

        def remove(text: str) -> None:
            snapshots.delete(credentials, snapshot_id=text)

        for_each(self, options["snapshot_ids"], remove, "Some snapshots were not removed")
