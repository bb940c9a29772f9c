"""Gunicorn's threaded worker, with limits on clients that dawdle.

A thread reads each request. Without a limit, a client that never finishes its head, or falls silent in the
middle of a body, would hold a thread for ever.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: Seconds a client has for a request's line and headers, however often it sends something.
HEAD_SECONDS = float(os.environ.get("SYNNEFO_HEAD_SECONDS", "20"))
#: Seconds without any progress of a body, in either direction.
SILENCE_SECONDS = float(os.environ.get("SYNNEFO_SILENCE_SECONDS", "60"))


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """``worker_class`` of ``conf/gunicorn.conf.py``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading_heads: dict[int, tuple[Any, float]] = {}

    def handle(self, conn: Any) -> Any:
        """Serve one request of *conn*; called in a thread."""
        self._reading_heads[id(conn)] = (conn, time.monotonic() + HEAD_SECONDS)
        try:
            return super().handle(conn)
        finally:
            self._reading_heads.pop(id(conn), None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has arrived."""
        self._reading_heads.pop(id(conn), None)
        conn.sock.settimeout(SILENCE_SECONDS)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Close what waits too long; gunicorn calls this every second in the main thread."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._reading_heads.values()):
            if deadline < now:
                # The thread that reads sees the end of the stream.
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
