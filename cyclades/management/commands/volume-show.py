"""Show a volume."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.volume_view import find_volume, summary
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a volume."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume_id", metavar="ID", help="Id, or name of the Ganeti disk.")
        parser.add_argument(
            "--display-mails", "--displayname", action="store_true", help="Show the owner's address."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        volume = find_volume(options["volume_id"])
        self.print_show(summary(volume, mails=options["display_mails"]))
