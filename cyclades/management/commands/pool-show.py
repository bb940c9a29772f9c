"""Show a pool and its maps."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import value_pools
from cyclades.management.arguments import number
from cyclades.management.network_arguments import text_map
from cyclades.management.pool_arguments import HEADERS, add_type, row_of
from synnefo.management.base import SynnefoCommand

_WIDTHS = {value_pools.BRIDGE: 64, value_pools.MAC_PREFIX: 80}


class Command(SynnefoCommand):
    help = "Show a pool and which of its values are in use or reserved."

    def add_arguments(self, parser: CommandParser) -> None:
        add_type(parser)
        parser.add_argument("pool_id", metavar="ID", help="Id of the pool.")

    def handle(self, *args: Any, **options: Any) -> None:
        pool = value_pools.get(options["type"], number(options["pool_id"], "Pool"))
        self.print_show(dict(zip(HEADERS, row_of(pool), strict=True)))
        if self.style_name == "pretty":
            width = _WIDTHS[options["type"]]
            for title, text in (
                ("Available", pool.bits.available_text()),
                ("Reserved", pool.bits.reserved_text()),
            ):
                self.stdout.write(f"\n{title} (X not, . free)")
                self.stdout.write(text_map(text, width))
