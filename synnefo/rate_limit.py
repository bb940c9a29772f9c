"""Counting attempts in the database, so that limits hold across processes and without memcached."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from django.db.models import F

from synnefo import clock
from synnefo.db.locks import atomic
from synnefo.models import RateLimitCounter


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
    digest = _digest(key)
    with atomic():
        RateLimitCounter.objects.get_or_create(key=digest, defaults={"period_start": start, "count": 0})
        RateLimitCounter.objects.filter(key=digest).exclude(period_start=start).update(
            period_start=start, count=0
        )
        RateLimitCounter.objects.filter(key=digest).update(count=F("count") + 1)
        counted = RateLimitCounter.objects.filter(key=digest).values_list("count", flat=True).first()
    # A success elsewhere may have made the counter forgotten in between.
    count = counted or 1
    return Attempts(count=count, limit=limit, retry_after=period - epoch % period)


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
