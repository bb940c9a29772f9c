"""All row locks go through here: sorted, bounded in time, never outside a transaction.

Lock order of the whole project: server → volumes → quota holdings (sorted) → network → subnet and pool
→ backend.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, models, transaction

from synnefo.errors import ServiceUnavailable

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)

#: SQLSTATEs that mean "nothing happened, the same transaction may succeed now":
#: serialization failure, deadlock, lock not available.
_RETRYABLE = frozenset({"40001", "40P01", "55P03"})


@contextmanager
def atomic(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Open a transaction whose every lock wait is bounded by ``DATABASE_LOCK_TIMEOUT`` milliseconds."""
    connection = connections[using]
    outermost = not connection.in_atomic_block
    with transaction.atomic(using=using):
        if outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [str(settings.DATABASE_LOCK_TIMEOUT)]
                )
        yield


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


def _require_transaction(using: str) -> None:
    if not connections[using].in_atomic_block:
        raise transaction.TransactionManagementError("row locks are taken inside a transaction only")


def is_retryable(error: BaseException) -> bool:
    """Tell whether *error* is a deadlock, a serialization failure or a lock timeout."""
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
