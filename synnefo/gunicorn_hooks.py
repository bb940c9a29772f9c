"""Gunicorn's hooks: what happens to headers, before workers are forked, and when it is told to reload.

WSGI writes ``X-Foo`` and ``X_Foo`` to the same variable, so servers drop the second form as a spoof.
Clients do send user-defined names with underscores, so those headers, and only those, are renamed.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Any

#: Families whose last part is chosen by users. The family part itself must be spelled with dashes.
USER_NAMED_HEADERS = (
    "X-IMAGE-META-",
    "X-OBJECT-META-",
    "X-CONTAINER-META-",
    "X-CONTAINER-POLICY-",
    "X-ACCOUNT-META-",
    "X-ACCOUNT-GROUP-",
)


def normalise_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return *headers* with underscores turned to dashes where users choose names, others dropped."""
    return [
        (name.replace("_", "-"), value)
        for name, value in headers
        if "_" not in name or name.upper().startswith(USER_NAMED_HEADERS)
    ]


def pre_request(worker: Any, request: Any) -> None:
    """Gunicorn's hook, called before the WSGI environment is made."""
    request.headers = normalise_headers(request.headers)


def when_ready(arbiter: Any) -> None:
    """Gunicorn's hook, called when the master has loaded the application and before it forks workers.

    Loads what Django would load at the first request, and takes all that stays for good out of the garbage
    collector's sight: a long list makes it run many times, each time over every module, whose memory it would
    write to and so take from what the workers share.
    """
    from django.urls import get_resolver

    assert get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    gc.enable()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def on_reload(arbiter: Any) -> None:
    """Gunicorn's hook for SIGHUP: begin anew with the code and settings of now.

    Workers are forked from what the master has loaded, so new workers alone would bring nothing new. The
    process becomes a new master on the same sockets, where connections wait meanwhile; the workers finish
    what they are at.
    """
    arbiter.kill_workers(signal.SIGTERM)
    # How gunicorn hands its sockets to a new master.
    os.environ["GUNICORN_PID"] = str(os.getpid())
    os.environ["GUNICORN_FD"] = ",".join(str(listener.fileno()) for listener in arbiter.LISTENERS)
    # Another one would end a process that is not ready for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606  # what it was started with
