"""What most tests begin with is made once in a process, and its rows are written again for the others.

To register a component or to create a user takes more time than most tests take after that. The rows that
such a call wrote, and its mails, are remembered with what it returned; the next call that finds the same
beginning writes them as they are. Whatever could make the outcome another one (settings, limits, rows that
are there, a patched clock) is part of the beginning; what cannot be compared is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import UserSettingsHolder, settings
from django.core import mail
from django.db import IntegrityError, connection, transaction

from synnefo import clock
from synnefo.db import prepared
from tests.flushing import KEPT

_Made = TypeVar("_Made")
_Rows = dict[str, list[tuple[Any, ...]]]

#: Tables that decide what a new component, user or project gets.
_BEGINNING = (
    "astakos_component",
    "astakos_service",
    "astakos_user",
    "astakos_project",
    "astakos_project_application",
    "astakos_project_membership",
    "astakos_holding",
    "astakos_auth_policy_profile",
    "astakos_terms",
    "pithos_node",
)
_ASKED = "SELECT " + ", ".join(
    [f"(SELECT count(*) FROM {t}), (SELECT max(id) FROM {t})" for t in _BEGINNING]
    # Where numbers begin again, the same numbers may be other people.
    + [
        f"(SELECT {m}(CAST(uuid AS text)) FROM astakos_{t})"
        for t in ("user", "project")
        for m in ("min", "max")
    ]
)
#: Settings that neither components nor users depend on.
_UNRELATED = ("PITHOS_BACKEND_", "PITHOS_PUBLIC_", "GANETI_")
#: Longer values are hardly ever set twice.
_LONGEST = 200
_MOST_ROWS = 2000
_NOW = clock.now


@dataclass(frozen=True)
class _Memory:
    made: Any
    rows: _Rows
    mails: list[Any]
    after_commit: list[Callable[[], object]]


_seen: set[tuple[object, ...]] = set()
_memories: dict[tuple[object, ...], _Memory | None] = {}


def remembered(make: Callable[[], _Made], *what: object) -> _Made:
    """Return what *make* returns, with its rows in the database; *what* tells it from other calls."""
    beginning = _beginning(what)
    if beginning is None:
        return make()
    if beginning not in _seen:
        # To remember takes longer than to make, and most of what is made once is not made again.
        _seen.add(beginning)
        return make()
    if beginning in _memories:
        memory = _memories[beginning]
        if memory is None:
            return make()
        try:
            _write(memory.rows)
        except IntegrityError:  # the test has written rows of these numbers itself
            return make()
        mail.outbox.extend(memory.mails)
        for call in memory.after_commit:
            transaction.on_commit(call)
        return memory.made
    before, sent, waiting = _all_rows(), len(mail.outbox), len(connection.run_on_commit)
    made = make()
    rows = _added(before, _all_rows())
    calls = [call for _, call, _ in connection.run_on_commit[waiting:]]
    _memories[beginning] = None if rows is None else _Memory(made, rows, mail.outbox[sent:], calls)
    return made


def _beginning(what: tuple[object, ...]) -> tuple[object, ...] | None:
    """What the outcome depends on; None where that is unknown."""
    if clock.now is not _NOW:
        return None
    changed = changed_settings()
    if changed is None:
        return None
    # Asked hundreds of times: to plan it takes three times as long as to run it.
    there = prepared.fetch_one(_ASKED, ())
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, uplimit, project_default FROM astakos_resource ORDER BY id")
        return (
            *what,
            connection.vendor,
            connection.in_atomic_block,
            changed,
            there,
            tuple(cursor.fetchall()),
        )


def changed_settings() -> tuple[object, ...] | None:
    """Return what tests changed of the settings; None where that is too long to be compared."""
    changed: dict[str, str] = {}
    holder = settings._wrapped
    while isinstance(holder, UserSettingsHolder):
        for name, value in vars(holder).items():
            if name.isupper() and not name.startswith(_UNRELATED):
                changed.setdefault(name, repr(value))
        holder = holder.default_settings
    if any(len(value) > _LONGEST for value in changed.values()):
        return None
    return tuple(sorted(changed.items()))


def _all_rows() -> _Rows | None:
    found: _Rows = {}
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f'SELECT * FROM "{table}"')
            found[table] = cursor.fetchall()
    return found if sum(map(len, found.values())) <= _MOST_ROWS else None


def _tables() -> list[str]:
    known = connection.introspection.django_table_names(include_views=False)
    return [table for table in known if table not in KEPT]


def _added(before: _Rows | None, after: _Rows | None) -> _Rows | None:
    """The rows that were added, None when that is not all that happened."""
    if before is None or after is None:
        return None
    added: _Rows = {}
    for table, rows in after.items():
        known = {repr(row) for row in before[table]}
        new = [row for row in rows if repr(row) not in known]
        if len(new) != len(rows) - len(before[table]):
            return None
        if new:
            added[table] = new
    return added


def _write(tables: _Rows) -> None:
    # Their numbers are free: a database's counters never go back, not even when its tables are emptied.
    with transaction.atomic(), connection.cursor() as cursor:
        for table, rows in tables.items():
            one = f"({', '.join(['%s'] * len(rows[0]))})"
            values = [value for row in rows for value in row]
            cursor.execute(f'INSERT INTO "{table}" VALUES {", ".join([one] * len(rows))}', values)
