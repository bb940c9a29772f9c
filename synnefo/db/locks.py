"""All row locks go through here: sorted, bounded in time, never outside a transaction.

Lock order of the whole project: name → server → volumes → quota holdings (sorted) → network → subnet and pool
→ backend.
"""

from __future__ import annotations

import functools
import hashlib
import random
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, models, transaction

from synnefo.db import prepared
from synnefo.errors import ServiceUnavailable

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)

#: SQLSTATEs that mean "nothing happened, the same transaction may succeed now":
#: serialization failure, deadlock, lock not available.
_RETRYABLE = frozenset({"40001", "40P01", "55P03"})
#: The driver's connections and the bound that each was told, in milliseconds.
_told: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@contextmanager
def atomic(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Open a transaction whose every lock wait is bounded by ``DATABASE_LOCK_TIMEOUT`` milliseconds."""
    bound_lock_waits(using)
    is_outermost = not connections[using].in_atomic_block
    with transaction.atomic(using=using):
        if is_outermost and not settings.DATABASE_PREPARED_STATEMENTS:
            # Behind a pooler the next transaction has another of the server's connections.
            _bound(using, is_local=True)
        yield


def bound_lock_waits(using: str = DEFAULT_DB_ALIAS) -> None:
    """Let statements of this connection wait for a lock no longer than ``DATABASE_LOCK_TIMEOUT``.

    Told to PostgreSQL once for each connection, not in every transaction: that is a round trip. Inside a
    transaction nothing is told, because a rollback would take it back; the outermost one has done it.
    """
    connection = connections[using]
    if connection.in_atomic_block or connection.vendor != "postgresql":
        return
    wanted = str(settings.DATABASE_LOCK_TIMEOUT)
    # A connection that the server has closed must be replaced before it is told, not after.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    if _told.get(connection.connection) != wanted and settings.DATABASE_PREPARED_STATEMENTS:
        _bound(using, is_local=False)
        _told[connection.connection] = wanted


def _bound(using: str, *, is_local: bool) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, %s)", [str(settings.DATABASE_LOCK_TIMEOUT), is_local]
            )


def lock_rows(queryset: models.QuerySet[M]) -> list[M]:
    """Lock the rows of *queryset* in primary-key order and return them.

    Raises ``TransactionManagementError`` outside a transaction.
    """
    _require_transaction(queryset.db)
    return list(queryset.order_by("pk").select_for_update(of=("self",)))


def lock_one(queryset: models.QuerySet[M]) -> M:
    """Lock and return the single row of *queryset*; raises the model's ``DoesNotExist``."""
    _require_transaction(queryset.db)
    return queryset.select_for_update(of=("self",)).get()


def lock_then_fetch(
    lock: tuple[str, Sequence[Any]], then: tuple[str, Sequence[Any]], *, of: str
) -> list[tuple[Any, ...]]:
    """Lock rows of the table with the alias *of*; return those of a second statement, in one round trip.

    ``lock`` finds one row: it says nothing about the order. The second statement begins when the lock is
    there and sees what the one that held it has written; what is joined to a lock is from before the wait.
    It locks as well, should it find a row that has taken the place of the first one's in between.
    Raises ``TransactionManagementError`` outside a transaction.
    """
    _require_transaction(DEFAULT_DB_ALIAS)
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return prepared.fetch_all(*then)
    return prepared.execute_all(*((f"{sql} FOR UPDATE OF {of}", values) for sql, values in (lock, then)))


def lock_name(*parts: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Keep others that lock the same name out until the transaction ends, where there is no row to lock.

    Names come before all rows in the lock order. On SQLite a transaction that writes is alone anyway.
    Raises ``TransactionManagementError`` outside a transaction.
    """
    _require_transaction(using)
    connection = connections[using]
    if connection.vendor == "postgresql":
        digest = hashlib.sha256("\0".join(parts).encode()).digest()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])


def _require_transaction(using: str) -> None:
    if not connections[using].in_atomic_block:
        raise transaction.TransactionManagementError("row locks are taken inside a transaction only")


def is_retryable(error: BaseException) -> bool:
    """Tell whether *error* is a deadlock, a serialization failure, a lock timeout or an outdated plan."""
    if isinstance(error, prepared.OutdatedPlan):
        return True
    cause = error.__cause__
    if getattr(cause, "pgcode", None) in _RETRYABLE:
        return True
    return "database is locked" in str(error)


def retry_on_deadlock(function: Callable[P, R]) -> Callable[P, R]:
    """Repeat a whole use case when the database refused its locks; give up as ``ServiceUnavailable``.

    Inside an outer transaction nothing is repeated: the outermost use case owns the retry.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if connections[DEFAULT_DB_ALIAS].in_atomic_block:
            return function(*args, **kwargs)
        attempts: int = settings.DATABASE_LOCK_RETRIES
        for attempt in range(attempts + 1):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if not is_retryable(error):
                    raise
                if attempt == attempts:
                    raise ServiceUnavailable(
                        "The service is busy with the same resource. Try again."
                    ) from error
                time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311  (back-off, not a secret)
        raise AssertionError("unreachable")

    return wrapper
