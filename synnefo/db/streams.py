"""Reading a long result row by row: neither the driver nor we ever have all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

_ROWS = 2000


def stream(sql: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Execute *sql* in a cursor of the server and yield its rows, ``_ROWS`` of them at a time."""
    with connections[DEFAULT_DB_ALIAS].chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(_ROWS):
            yield from rows
