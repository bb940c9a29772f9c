"""Create a pool of bridges or MAC prefixes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import value_pools
from cyclades.management.pool_arguments import add_type
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Create the pool of bridges or of MAC prefixes; there is one of each."

    def add_arguments(self, parser: CommandParser) -> None:
        add_type(parser)
        parser.add_argument("--size", type=int, required=True, help="How many values it has.")
        parser.add_argument("--base", help="Begin of the bridges' names, or first MAC prefix (aa:00:0).")
        parser.add_argument("--offset", type=int, help="Kept for older configurations.")

    def handle(self, *args: Any, **options: Any) -> None:
        row = value_pools.create(
            Credentials.administrator(),
            kind=options["type"],
            size=options["size"],
            base=options["base"],
            offset=options["offset"],
        )
        self.print_show({"id": row.pk, "type": options["type"], "size": row.size, "base": row.base})
