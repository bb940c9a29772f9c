"""Take volumes off their servers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volume_attachments
from cyclades.management.several import for_each
from cyclades.management.volume_view import find_volume
from cyclades.management.waiting import follow
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand, add_wait_option


class Command(RemoveCommand):
    help = "Take volumes off their servers; their data stay."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("volume_ids", nargs="+", metavar="ID", help="Ids, or names of Ganeti disks.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "attachments of volumes", options["volume_ids"])

        def detach(text: str) -> None:
            volume = find_volume(text)
            intent = volume_attachments.detach(Credentials.administrator(), volume_id=volume.pk)
            follow(self, intent, wait=options["wait"])

        for_each(self, options["volume_ids"], detach, "Some volumes were not detached")
