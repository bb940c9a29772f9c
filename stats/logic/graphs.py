"""Which pictures there are, whose, and how long each one is kept (ganeti-backend contract 12.3)."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from functools import partial

from django.conf import settings
from django.core.cache import cache

from stats.logic import bars, rrd, timeseries
from synnefo import clock, stats_token
from synnefo.errors import BadRequest, ServiceUnavailable

#: What draws each graph of an instance.
GRAPHS: Mapping[str, Callable[[str], bytes]] = {
    "cpu-bar": bars.cpu,
    "net-bar": bars.net,
    "cpu-ts": partial(timeseries.cpu, seconds=timeseries.DAY),
    "net-ts": partial(timeseries.net, seconds=timeseries.DAY),
    "cpu-ts-w": partial(timeseries.cpu, seconds=timeseries.WEEK),
    "net-ts-w": partial(timeseries.net, seconds=timeseries.WEEK),
}
#: Who asks for a picture that is being drawn waits for it; this is how many are drawn at a time.
_DRAWING = tuple(threading.Lock() for _ in range(8))


def token_secret() -> str:
    """Return the secret that this service and compute share."""
    return str(
        settings.STATS_SECRET_KEY or settings.CYCLADES_STATS_SECRET_KEY or settings.SECRET_ENCRYPTION_KEY
    )


def picture(*, graph: str, token: str) -> bytes:
    """Return the PNG of *graph*, a key of ``GRAPHS``, for the instance that *token* names.

    It is drawn once in ``STATS_REFRESH_PERIOD`` seconds, however many ask. Raises ``BadRequest`` for a token
    that is not valid, ``NotFound`` for an instance without statistics and ``ServiceUnavailable`` when they
    cannot be read.
    """
    instance = _instance_of(token)
    key = f"stats.{graph}.{hashlib.sha256(instance.encode()).hexdigest()}"
    known = _cached(key)
    if known is None:
        # A host that cannot draw says that, and not that there is nothing to draw.
        rrd.program()
        known = _drawn_once(key, lambda: GRAPHS[graph](instance))
    return known


def _instance_of(token: str) -> str:
    try:
        return stats_token.open_token(
            token,
            secret=token_secret(),
            now=int(clock.now().timestamp()),
            accept_legacy=settings.CYCLADES_STATS_LEGACY_TOKENS,
        )
    except stats_token.StatsTokenError as error:
        raise BadRequest("Invalid encrypted virtual server name") from error


def _cached(key: str) -> bytes | None:
    # Text, because a shared cache keeps no other bytes.
    known: str | None = cache.get(key)
    return base64.b64decode(known) if known else None


def _drawn_once(key: str, draw: Callable[[], bytes]) -> bytes:
    lock = _DRAWING[int(key[-2:], 16) % len(_DRAWING)]
    if not lock.acquire(timeout=rrd.TIME_LIMIT):
        raise ServiceUnavailable("The graph could not be drawn in time")
    try:
        drawn = _cached(key)
        if drawn is None:
            drawn = draw()
            cache.set(key, base64.b64encode(drawn).decode(), timeout=settings.STATS_REFRESH_PERIOD)
        return drawn
    finally:
        lock.release()
