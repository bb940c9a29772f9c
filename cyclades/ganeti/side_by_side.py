"""Doing something on every cluster at the same time, so that none waits for one that hangs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections

from cyclades.models import Backend
from synnefo import request_id

T = TypeVar("T")


def on_each(backends: Sequence[Backend], work: Callable[[Backend], T]) -> list[T]:
    """Return what *work* returns for each backend, in their order; what it raises is raised here.

    In threads when there are several, unless a transaction is open, which other threads could not see.
    """
    if len(backends) < 2 or connection.in_atomic_block:
        return [work(backend) for backend in backends]
    request = request_id.current()

    def run(backend: Backend) -> T:
        try:
            with request_id.bound(request):
                return work(backend)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(backends), thread_name_prefix="backend") as threads:
        return list(threads.map(run, backends))
