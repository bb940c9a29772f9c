"""Counting attempts in the database, so that limits hold across processes and without memcached."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db import connection

from synnefo import clock
from synnefo.models import RateLimitCounter

_INCREMENT = """
    INSERT INTO synnefo_rate_limit AS stored (key, period_start, count) VALUES (%s, %s, 1)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN stored.period_start = excluded.period_start THEN stored.count + 1 ELSE 1 END,
        period_start = excluded.period_start
    RETURNING count
"""


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a key was used in the running period; ``retry_after`` counts seconds to its end."""

    count: int
    limit: int
    retry_after: int

    @property
    def exceeded(self) -> bool:
        """Tell whether this attempt is one too many."""
        return self.count > self.limit


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def count_attempt(key: str, *, limit: int, period: int = 60) -> Attempts:
    """Count one more use of *key* in the running *period* (seconds) and say how many there are.

    Keys are stored hashed: they may contain addresses that people typed.
    """
    now = clock.now()
    epoch = int(now.timestamp())
    start = dt.datetime.fromtimestamp(epoch - epoch % period, dt.UTC)
    count = _increment(_digest(key), start)
    return Attempts(count=count, limit=limit, retry_after=period - epoch % period)


def _increment(digest: str, start: dt.datetime) -> int:
    """Count one use in the period that began at *start*, in one statement.

    The row may appear or be forgotten at any moment, so there is no reading before the writing.
    """
    period_start = RateLimitCounter._meta.get_field("period_start")
    with connection.cursor() as cursor:
        cursor.execute(_INCREMENT, [digest, period_start.get_db_prep_value(start, connection)])
        row = cursor.fetchone()
    return int(row[0])


def attempts(key: str, *, limit: int, period: int = 60) -> Attempts:
    """Return how often *key* was counted in the running *period* (seconds) without counting."""
    epoch = int(clock.now().timestamp())
    start = dt.datetime.fromtimestamp(epoch - epoch % period, dt.UTC)
    counted = RateLimitCounter.objects.filter(key=_digest(key), period_start=start)
    count = counted.values_list("count", flat=True).first() or 0
    return Attempts(count=count, limit=limit, retry_after=period - epoch % period)


def forget(key: str) -> None:
    """Start *key* from nothing again, as after a success."""
    RateLimitCounter.objects.filter(key=_digest(key)).delete()


def delete_old(*, older_than: int = 86_400) -> int:
    """Delete counters that were not used for *older_than* seconds and return how many."""
    limit = clock.now() - dt.timedelta(seconds=older_than)
    return RateLimitCounter.objects.filter(period_start__lt=limit).delete()[0]
