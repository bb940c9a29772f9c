"""The id of the request, message or command that is being worked on, carried into logs and jobs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("synnefo_request_id", default="")


def new() -> str:
    """Return a fresh id such as ``req-5f0c…`` (128 random bits)."""
    return f"req-{secrets.token_hex(16)}"


def current() -> str:
    """Return the id of the work in progress, or an empty string outside any."""
    return _current.get()


@contextmanager
def bound(request_id: str) -> Iterator[str]:
    """Bind *request_id* for the duration of a ``with`` block."""
    token = _current.set(request_id)
    try:
        yield request_id
    finally:
        _current.reset(token)
