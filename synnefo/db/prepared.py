"""Statements that are planned once for a connection instead of at every execution.

For the few that every request makes: planning such a statement takes PostgreSQL several times as long as
running it. On other databases, and where ``DATABASE_PREPARED_STATEMENTS`` is off, they run as they are.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%s")
#: The names that each of the driver's connections has prepared.
_prepared: weakref.WeakKeyDictionary[Any, set[str]] = weakref.WeakKeyDictionary()

Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Form:
    """A statement as PostgreSQL prepares and executes it; ``order`` has the keys of named parameters."""

    name: str
    prepare: str
    execute: str
    order: tuple[str, ...]


def fetch_all(sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Execute *sql*, with ``%s`` or ``%(name)s`` placeholders, and return its rows.

    Where PostgreSQL can't tell a parameter's type from its place the statement has to cast it. The text must
    be one of few: each is kept for good.
    """
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        if database.vendor != "postgresql" or not settings.DATABASE_PREPARED_STATEMENTS:
            cursor.execute(sql, parameters)
        else:
            _execute(database, cursor, sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def fetch_one(sql: str, parameters: Parameters) -> tuple[Any, ...] | None:
    """Execute *sql* like ``fetch_all`` and return its first row."""
    rows = fetch_all(sql, parameters)
    return rows[0] if rows else None


def _execute(database: Any, cursor: Any, sql: str, parameters: Parameters) -> None:
    form = _form(sql)
    values = [parameters[key] for key in form.order] if isinstance(parameters, Mapping) else parameters
    known = _prepared.setdefault(database.connection, set())
    if form.name not in known:
        # Past Django's counting and logging of statements: it is about the connection, not the request.
        with database.wrap_database_errors, database.connection.cursor() as preparing:
            preparing.execute(form.prepare)
        known.add(form.name)
    try:
        cursor.execute(form.execute, values)
    except NotSupportedError:
        # A migration changed the type of a column since the statement was planned.
        known.discard(form.name)
        cursor.execute(f"DEALLOCATE {form.name}")
        cursor.execute(sql, parameters)


@lru_cache(maxsize=32)
def _form(sql: str) -> _Form:
    order: list[str] = []
    count = 0

    def number(match: re.Match[str]) -> str:
        nonlocal count
        key = match.group(1)
        if key is None:
            count += 1
            return f"${count}"
        if key not in order:
            order.append(key)
        return f"${order.index(key) + 1}"

    body = _PLACEHOLDER.sub(number, sql)
    marks = ", ".join(["%s"] * (len(order) or count))
    arguments = f" ({marks})" if marks else ""
    name = f"synnefo_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
    return _Form(name, f"PREPARE {name} AS {body}", f"EXECUTE {name}{arguments}", tuple(order))
