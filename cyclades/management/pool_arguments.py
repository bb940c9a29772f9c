"""What the pool commands have in common (administrator's contract 4.7)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic.value_pools import BRIDGE, MAC_PREFIX, ValuePool

TYPES = (BRIDGE, MAC_PREFIX)
HEADERS = ("id", "size", "base", "offset", "available", "reserved")


def add_type(parser: CommandParser, *, required: bool = True) -> None:
    """Add ``--type``."""
    parser.add_argument("--type", choices=TYPES, required=required, help="Kind of pool.")


def row_of(pool: ValuePool) -> list[Any]:
    """Return a pool's cells under ``HEADERS``."""
    row, bits = pool.row, pool.bits
    return [row.pk, bits.size, row.base, row.offset, bits.count_free(), bits.count_reserved()]
