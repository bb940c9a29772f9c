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
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, OperationalError, connections

_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%s")
#: The names that each of the driver's connections has prepared, and whether their plans are still good.
_prepared: weakref.WeakKeyDictionary[Any, dict[str, bool]] = weakref.WeakKeyDictionary()

Parameters = Sequence[Any] | Mapping[str, Any]
#: A text and its parameters, as ``fetch_all`` takes them.
Statement = tuple[str, Parameters]


class OutdatedPlan(OperationalError):
    """A migration changed a column's type since a statement was planned; the transaction can be repeated."""


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


def execute_all(*statements: Statement) -> list[tuple[Any, ...]]:
    """Execute several statements in one round trip and return the rows of the last one, if it has any.

    Each sees what those before it did, and what other transactions committed until it began.
    """
    if not statements:
        return []
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        if database.vendor != "postgresql" or not settings.DATABASE_PREPARED_STATEMENTS:
            for sql, parameters in statements:
                cursor.execute(sql, parameters)
        elif len(statements) == 1:
            _execute(database, cursor, *statements[0])
        else:
            forms = [_form(sql) for sql, _ in statements]
            for form in forms:
                _prepare(database, form)
            values = [_values(form, given) for form, (_, given) in zip(forms, statements, strict=True)]
            try:
                cursor.execute(
                    "; ".join(form.execute for form in forms), [v for some in values for v in some]
                )
            except NotSupportedError as error:
                _outdate(database)
                raise OutdatedPlan(*error.args) from error
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows


def _execute(database: Any, cursor: Any, sql: str, parameters: Parameters) -> None:
    form = _form(sql)
    _prepare(database, form)
    values = _values(form, parameters)
    try:
        cursor.execute(form.execute, values)
    except NotSupportedError as error:
        _outdate(database)
        if database.in_atomic_block:  # nothing more can be done in this transaction
            raise OutdatedPlan(*error.args) from error
        cursor.execute(sql, parameters)


def _prepare(database: Any, form: _Form) -> None:
    """Prepare the statement unless that is done and still good."""
    known = _prepared.setdefault(database.connection, {})
    is_good = known.get(form.name)
    if not is_good:
        # Past Django's counting and logging of statements: it is about the connection, not the request.
        with database.wrap_database_errors, database.connection.cursor() as preparing:
            preparing.execute(form.prepare if is_good is None else f"DEALLOCATE {form.name}; {form.prepare}")
        known[form.name] = True


def _outdate(database: Any) -> None:
    """Have all of the connection's statements planned anew: a migration seldom changes one table only."""
    known = _prepared.get(database.connection, {})
    known.update(dict.fromkeys(known, False))


def _values(form: _Form, parameters: Parameters) -> Sequence[Any]:
    return [parameters[key] for key in form.order] if isinstance(parameters, Mapping) else parameters


@lru_cache(maxsize=128)
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
