"""Change a volume."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volumes
from cyclades.management.volume_view import find_volume
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Change a volume; what is not given stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume_id", metavar="ID", help="Id, or name of the Ganeti disk.")
        parser.add_argument("--name", help="New name.")
        parser.add_argument("--description", help="New description.")
        parser.add_argument(
            "--delete-on-termination",
            type=strict_bool,
            metavar="True|False",
            help="Whether it goes with its server; no kind of disk offers False.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        change = volumes.VolumeChange(
            name=options["name"],
            description=options["description"],
            delete_on_termination=options["delete_on_termination"],
        )
        volume = find_volume(options["volume_id"])
        volumes.update_volume(Credentials.administrator(), volume_id=volume.pk, change=change)
