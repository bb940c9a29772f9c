"""The one source of time, so that tests can move it."""

from __future__ import annotations

import datetime as dt


def now() -> dt.datetime:
    """Return the current time as an aware UTC datetime."""
    return dt.datetime.now(dt.UTC)


def isoformat(moment: dt.datetime) -> str:
    """Return *moment* as ISO 8601 in UTC with ``+00:00``; microseconds only when non-zero."""
    return moment.astimezone(dt.UTC).isoformat()


def from_timestamp_pair(seconds: int, microseconds: int) -> dt.datetime:
    """Return the moment of an ``[seconds, microseconds]`` pair exactly, without float rounding."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=microseconds)
