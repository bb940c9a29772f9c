"""List the pools of bridges and MAC prefixes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import value_pools
from cyclades.management.pool_arguments import HEADERS, TYPES, add_type, row_of
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "List the pools of bridges and MAC prefixes."

    def add_arguments(self, parser: CommandParser) -> None:
        add_type(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        kinds = [options["type"]] if options["type"] else TYPES
        self.print_tables(
            {kind: (HEADERS, [row_of(pool) for pool in value_pools.list_pools(kind)]) for kind in kinds}
        )
