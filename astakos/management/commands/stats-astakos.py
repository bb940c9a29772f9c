"""Print how many users there are and what they use."""

from __future__ import annotations

from typing import Any

from astakos.logic import statistics
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show how many users there are, by login method, and what they use."

    def handle(self, *args: Any, **options: Any) -> None:
        found = statistics.collect()
        if self.style_name == "json":
            self.stdout.write(tables.json_text(statistics.as_document(found)), ending="")
            return
        users = [
            (
                name,
                count.total,
                count.verified,
                count.active,
                "-" if count.exclusive is None else count.exclusive,
            )
            for name, count in found.users.items()
        ]
        resources = [
            (name, resource, total.used, total.allocated, total.unit)
            for name, sums in found.resources.items()
            for resource, total in sums.items()
        ]
        self.print_tables(
            {
                "Users": (("login method", "total", "verified", "active", "exclusive"), users),
                "Resources": (("login method", "resource", "used", "allocated", "unit"), resources),
            }
        )
