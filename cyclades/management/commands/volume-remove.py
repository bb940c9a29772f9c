"""Delete volumes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volume_deletion
from cyclades.management.several import for_each
from cyclades.management.volume_view import find_volume
from cyclades.management.waiting import follow
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand, add_wait_option


class Command(RemoveCommand):
    help = (
        "Delete volumes with their data. One that is on no server and was on one before is deleted by the "
        "dispatcher, which tries until it succeeds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("volume_ids", nargs="+", metavar="ID", help="Ids, or names of Ganeti disks.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "volumes", options["volume_ids"])

        def remove(text: str) -> None:
            intent = volume_deletion.delete(Credentials.administrator(), volume_id=find_volume(text).pk)
            follow(self, intent, wait=options["wait"])

        for_each(self, options["volume_ids"], remove, "Some volumes were not removed")
