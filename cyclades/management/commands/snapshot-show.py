"""Show a snapshot."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import snapshots
from cyclades.management.snapshot_view import summary
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    umask = 0o007
    help = "Show a snapshot, and how far the node that copies it has come."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("snapshot_id", metavar="UUID", help="Id of the snapshot.")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = snapshots.get(Credentials.administrator(), snapshot_id=options["snapshot_id"])
        self.print_show(summary(snapshot, full=True))
