"""Copy the block store from a directory to RADOS or back (object-storage contract 19.1)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.blocks import BlockStoreError
from pithos.blocks.opened import store_of_kind
from pithos.logic.store_migration import migrate
from synnefo.management.base import EXIT_PARTIAL, EXIT_UNAVAILABLE, SynnefoCommand
from synnefo.management.progress import ProgressBar

STORES = ("nfs", "rados")


class Command(SynnefoCommand):
    help = "Copy all blocks and maps from one kind of store to another; can be interrupted and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", choices=STORES, help="Where blocks are now: nfs or rados.")
        parser.add_argument("target", choices=STORES, help="Where they are to be: nfs or rados.")
        parser.add_argument(
            "--deep", action="store_true", help="Compare the content of what is there, not only its size."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only count what would be copied.")
        parser.add_argument("--threads", type=int, default=4, help="Copies at the same time (default 4).")
        parser.add_argument("--quiet", action="store_true", help="Show no progress.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["source"] == options["target"]:
            raise CommandError("Source and target are the same store.")
        if not 0 < options["threads"] <= 64:
            raise CommandError("--threads must be between 1 and 64.")
        bar = ProgressBar(self.stderr, quiet=options["quiet"])
        try:
            done = migrate(
                store_of_kind(options["source"]),
                store_of_kind(options["target"]),
                deep=options["deep"],
                dry_run=options["dry_run"],
                threads=options["threads"],
                progress=bar,
            )
        except BlockStoreError as error:
            raise CommandError(f"the block store: {error}", returncode=EXIT_UNAVAILABLE) from error
        finally:
            bar.finish()
        self.print_show(
            {
                "dry_run": options["dry_run"],
                "blocks_copied": done.copied["blocks"],
                "blocks_present": done.present["blocks"],
                "maps_copied": done.copied["maps"],
                "maps_present": done.present["maps"],
                "bytes_copied": done.bytes,
                "damaged": ", ".join(f"{finding.kind}/{finding.name}" for finding in done.damaged),
            }
        )
        if done.damaged:
            raise CommandError(f"{len(done.damaged)} blocks or maps are damaged.", returncode=EXIT_PARTIAL)
