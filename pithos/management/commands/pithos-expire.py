"""Remove objects whose time is over (object-storage contract 22.2)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.logic import swift_objects
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Remove objects whose time is over. They can't be read from that moment on; this frees what they "
        "use. Run it every few minutes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--limit", type=int, default=100_000, help="Remove at most so many objects (default 100000)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        limit = options["limit"]
        if limit < 1:
            raise CommandError("--limit must be at least 1")
        removed = 0
        while removed < limit:
            count = swift_objects.delete_expired(limit=min(1000, limit - removed))
            removed += count
            if not count:
                break
        self.stdout.write(f"Removed {removed} expired objects.")
