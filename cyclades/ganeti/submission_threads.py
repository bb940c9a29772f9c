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

_WORKERS = 8
_lock = threading.Lock()
_executor: tuple[int, ThreadPoolExecutor] | None = None


def _current() -> ThreadPoolExecutor:
    global _executor  # noqa: PLW0603  (one per process; a fork gets its own)
    with _lock:
        if _executor is None or _executor[0] != os.getpid():
            _executor = (os.getpid(), ThreadPoolExecutor(_WORKERS, thread_name_prefix="ganeti-submit"))
        return _executor[1]


def run(function: Callable[..., object], *arguments: Any) -> None:
    """Call *function* in another thread, with the request id of this one."""
    try:
        _current().submit(_run, request_id.current(), function, arguments)
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
