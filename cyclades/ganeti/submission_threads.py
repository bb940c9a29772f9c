"""Threads that submit jobs, so that a client's answer does not wait for Ganeti.

What a process leaves undone when it ends is PENDING in the database and found by the repair task.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from synnefo import request_id

log = logging.getLogger(__name__)

#: At a time, for each cluster: what a cluster that hangs keeps waiting is only its own.
_WORKERS = 8
_lock = threading.Lock()
_executors: dict[int, ThreadPoolExecutor] = {}
_owner = 0


def _executor_of(backend_id: int) -> ThreadPoolExecutor:
    global _owner  # noqa: PLW0603  (threads belong to a process; a fork gets its own)
    with _lock:
        if _owner != os.getpid():
            _owner = os.getpid()
            _executors.clear()
        if backend_id not in _executors:
            name = f"ganeti-submit-{backend_id}"
            _executors[backend_id] = ThreadPoolExecutor(_WORKERS, thread_name_prefix=name)
        return _executors[backend_id]


def run(function: Callable[..., object], *arguments: Any, backend_id: int | None = None) -> None:
    """Call *function* in another thread, with the request id of this one.

    *backend_id* is the backend that it talks to, so that it waits for no other's calls.
    """
    try:
        _executor_of(backend_id or 0).submit(_run, request_id.current(), function, arguments)
    except RuntimeError:
        # The interpreter is going down; the repair task submits it.
        log.info("a job is left to the repair task because this process ends")


def _run(request: str, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    with request_id.bound(request):
        try:
            function(*arguments)
        except Exception:
            log.exception("a job could not be submitted now; the repair task will try again")
        finally:
            connections.close_all()
