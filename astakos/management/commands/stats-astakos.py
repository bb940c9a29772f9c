"""Print how many users there are and what they use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import statistics
from astakos.management.units import add_unit_style, shown
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show how many users there are, by login method, and what they use."

    def add_arguments(self, parser: CommandParser) -> None:
        add_unit_style(parser, default="auto")

    def handle(self, *args: Any, **options: Any) -> None:
        if self.style_name == "csv":
            raise CommandError("Statistics are no table: choose pretty or json.")
        style = options["unit_style"]
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
            (
                name,
                resource,
                shown(total.used, total.unit, style),
                shown(total.allocated, total.unit, style),
                total.unit,
            )
            for name, sums in found.resources.items()
            for resource, total in sums.items()
        ]
        self.print_tables(
            {
                "Users": (("login method", "total", "verified", "active", "exclusive"), users),
                "Resources": (("login method", "resource", "used", "allocated", "unit"), resources),
            }
        )
