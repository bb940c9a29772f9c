"""Quantities in options and tables of these commands."""

from __future__ import annotations

from django.core.management.base import CommandError, CommandParser

from synnefo.units import INF, STYLES, format_size, parse_size


def add_unit_style(parser: CommandParser, *, default: str = "mb") -> None:
    """Add ``--unit-style``."""
    parser.add_argument(
        "--unit-style",
        choices=STYLES,
        default=default,
        metavar="|".join(STYLES),
        help=f"Unit of byte quantities (default {default}).",
    )


def shown(value: int, unit: str | None, style: str) -> int | str:
    """Return *value* as the tables show it: a plain count stays a number, which JSON keeps as one."""
    if value < INF and (unit != "bytes" or style == "none"):
        return value
    return format_size(value, unit=unit, style=style)


def parse_quantity(text: str, unit: str | None, what: str) -> int:
    """Return the quantity *text*; only resources counted in bytes take suffixes. Raises ``CommandError``."""
    try:
        return parse_size(text, suffixes=unit == "bytes")
    except ValueError as error:
        raise CommandError(f"{what}: {error}") from None
