"""Create a snapshot."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import snapshots
from cyclades.logic.snapshots import SnapshotRequest
from cyclades.management.snapshot_view import summary
from cyclades.management.volume_view import find_volume
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    umask = 0o007
    help = (
        "Create a snapshot of a volume that is on a server. It belongs to the volume's owner and is charged "
        "to their object storage; its status is CREATING until the node has copied the disk."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("volume_id", metavar="VOLUME", help="Id of the volume, or name of its Ganeti disk.")
        add("--name", required=True, help="Name of the snapshot, and of its file where that is free.")
        add("--description", default="", help="Description.")

    def handle(self, *args: Any, **options: Any) -> None:
        volume = find_volume(options["volume_id"])
        request = SnapshotRequest(
            volume_id=volume.pk, name=options["name"], description=options["description"]
        )
        self.print_show(summary(snapshots.create(Credentials.administrator(), request=request)))
