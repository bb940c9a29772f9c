"""Gunicorn's threaded worker, with limits on clients that dawdle.

A thread reads each request. Without limits, a client that never finishes its head, falls silent in the middle
of a body, or sends a byte of it now and then, would hold a thread for ever.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.workers.gthread import ThreadWorker

#: Seconds a client has for a request's line and headers, however often it sends something.
HEAD_SECONDS = float(os.environ.get("SYNNEFO_HEAD_SECONDS", "20"))
#: Seconds without any progress of a body, in either direction.
SILENCE_SECONDS = float(os.environ.get("SYNNEFO_SILENCE_SECONDS", "60"))
#: Seconds for which a thread waits for a body, and the bytes that each earn another one, up to so many.
#: Only waiting counts: a server that is slow to store what came takes no time from its client.
BODY_SECONDS = float(os.environ.get("SYNNEFO_BODY_SECONDS", "60"))
BODY_RATE = float(os.environ.get("SYNNEFO_BODY_RATE", "500"))
#: Bytes sent at a time, for which a slow client has ``SILENCE_SECONDS``.
STEP_BYTES = 256 << 10
#: Seconds for which a thread waits for another request of the connection it has just served.
LINGER_SECONDS = 0.005


class PacedSocket:
    """The socket of a request, whose body must come at a mean rate of ``BODY_RATE``, but for pauses."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._left = BODY_SECONDS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Receive at most *size* bytes; raises ``TimeoutError`` when the client is too slow."""
        began = time.monotonic()
        data = self._sock.recv(size)
        self._count(began, len(data))
        return data

    def recv_into(self, target: memoryview) -> int:
        """Receive something into *target*; raises ``TimeoutError`` when the client is too slow."""
        began = time.monotonic()
        received = self._sock.recv_into(target)
        self._count(began, received)
        return received

    def _count(self, began: float, received: int) -> None:
        # What came fast gives no right to dawdle afterwards.
        self._left = min(self._left + received / BODY_RATE - (time.monotonic() - began), BODY_SECONDS)
        if self._left < 0:
            raise TimeoutError("the body comes too slowly")


class DirectBody(Body):  # type: ignore[misc]  # gunicorn has no types
    """A body of known length that is also received straight into the reader's own memory.

    ``read`` copies what it receives several times; for a large upload that is most of the work.
    """

    def readinto(self, target: memoryview) -> int:
        """Receive something into *target*; return how many bytes, 0 at the end or when the client left."""
        if self.buf.tell():
            data = self.read(min(len(target), self.buf.tell()))
            target[: len(data)] = data
            return len(data)
        unreader, wanted = self.reader.unreader, min(len(target), self.reader.length)
        waiting = min(wanted, len(unreader.buf.getvalue()))
        if waiting or not wanted:
            data = self._read_reader(waiting)
            target[: len(data)] = data
            return len(data)
        try:
            received: int = unreader.sock.recv_into(target[:wanted])
        except Exception:
            # Noted whatever it was, and raised again.
            self.failed = True
            raise
        self.reader.length -= received
        return received


class DatedResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """An answer to a question says when that was asked, not when the answer was ready.

    Clients go on from that moment when they ask what has changed since (compute contract 4.1): nothing that
    happened while a long list was made may be missing then.
    """

    def __init__(self, req: Any, *args: Any) -> None:
        super().__init__(req, *args)
        self._asked = f"Date: {util.http_date()}\r\n" if req.method in ("GET", "HEAD") else ""

    def default_headers(self) -> list[str]:
        """Return the lines that every answer begins with."""
        lines: list[str] = super().default_headers()
        return [self._asked if self._asked and line.startswith("Date: ") else line for line in lines]

    def write(self, arg: bytes) -> None:
        """Send a piece of the body in steps: the socket's time limit is for all that is sent at once."""
        for start in range(0, len(arg), STEP_BYTES) or (0,):
            super().write(arg[start : start + STEP_BYTES])


#: The class that ``wsgi.create`` makes; there is no other way to say so.
wsgi.Response = DatedResponse


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """``worker_class`` of ``conf/gunicorn.conf.py``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading_heads: dict[int, tuple[Any, float]] = {}

    def handle(self, conn: Any) -> Any:
        """Serve requests of *conn* as long as they follow one another closely; called in a thread.

        Handing a connection to the main thread and back costs more than many a request. Nobody waits for
        the thread meanwhile: it goes on only while no other connection has something to do.
        """
        kept = self._handle_one(conn)
        while kept is True and self.alive and not self.tpool._work_queue.qsize() and _has_more(conn):
            kept = self._handle_one(conn)
        return kept

    def _handle_one(self, conn: Any) -> Any:
        self._reading_heads[id(conn)] = (conn, time.monotonic() + HEAD_SECONDS)
        try:
            return super().handle(conn)
        finally:
            self._reading_heads.pop(id(conn), None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has arrived."""
        self._reading_heads.pop(id(conn), None)
        conn.sock.settimeout(SILENCE_SECONDS)
        if type(req.body) is Body and type(req.body.reader) is LengthReader:
            req.body = DirectBody(req.body.reader)
        unreader = conn.parser.unreader
        unreader.sock = PacedSocket(conn.sock)
        try:
            return super().handle_request(req, conn)
        finally:
            unreader.sock = conn.sock

    def murder_pending(self) -> None:
        """Close what waits too long; gunicorn calls this every second in the main thread."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._reading_heads.values()):
            if deadline < now:
                # The thread that reads sees the end of the stream.
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def _has_more(conn: Any) -> bool:
    """Tell whether the next request begins to arrive within ``LINGER_SECONDS``."""
    if conn.is_http2 or conn.parser.unreader.buf.getvalue():
        return False  # gunicorn knows what to do
    waiting = select.poll()
    waiting.register(conn.sock, select.POLLIN)
    return bool(waiting.poll(LINGER_SECONDS * 1000))
