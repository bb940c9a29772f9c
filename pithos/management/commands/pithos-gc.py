"""Collect what no object refers to any more (object-storage contract 19.2)."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from pithos.blocks import BlockStoreError
from pithos.blocks.opened import block_store
from pithos.logic import collection
from synnefo.management.base import EXIT_PARTIAL, EXIT_UNAVAILABLE, SynnefoCommand
from synnefo.management.progress import ProgressBar

MIN_GRACE_HOURS = 24


class Command(SynnefoCommand):
    help = "Find blocks and maps that no version of any object refers to, and with --delete remove them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--delete", action="store_true", help="Remove them; without it nothing changes.")
        parser.add_argument(
            "--grace-hours",
            type=int,
            help="Spare what was used in these last hours (default PITHOS_GC_GRACE_HOURS, at least 24).",
        )
        parser.add_argument("--quiet", action="store_true", help="Show no progress.")

    def handle(self, *args: Any, **options: Any) -> None:
        hours = (
            options["grace_hours"] if options["grace_hours"] is not None else settings.PITHOS_GC_GRACE_HOURS
        )
        if hours < MIN_GRACE_HOURS:
            raise CommandError(f"The grace time must be at least {MIN_GRACE_HOURS} hours.")
        bar = ProgressBar(self.stderr, quiet=options["quiet"])
        try:
            found = collection.collect(
                block_store(),
                unused_since=time.time() - hours * 3600,
                dry_run=not options["delete"],
                progress=bar,
            )
        except BlockStoreError as error:
            raise CommandError(f"the block store: {error}", returncode=EXIT_UNAVAILABLE) from error
        finally:
            bar.finish()
        self.print_show(
            {
                "dry_run": not options["delete"],
                "referenced_maps": found.referenced_maps,
                "blocks_seen": found.seen_blocks,
                "blocks_removed": found.blocks,
                "bytes_removed": found.bytes,
                "maps_removed": found.maps,
                "damaged_maps": ", ".join(finding.name for finding in found.damaged),
            }
        )
        if not found.is_complete:
            raise CommandError(
                "Maps of living objects are missing or damaged, so their blocks are not known and no block "
                "was removed. See pithos-scrub.",
                returncode=EXIT_PARTIAL,
            )
