"""What stands beside the figures: plain SQL, plain files, a bare file server. Measured in the same run."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2


def rate_of(work: Callable[[int], None], seconds: float, clients: int) -> float:
    """Return how often a second *work* (called with the client's number) ends, in *clients* threads."""
    counts = [0] * clients
    started = time.perf_counter()

    def repeat(number: int) -> None:
        while time.perf_counter() - started < seconds:
            work(number)
            counts[number] += 1

    threads = [threading.Thread(target=repeat, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def sql_rate(url: str, statement: str, seconds: float, *, clients: int = 1) -> float:
    """Return transactions a second of one statement, each client with a connection of its own."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(contextlib.closing(psycopg2.connect(url))) for _ in range(clients)]
        for connection in connections:
            connection.autocommit = True

        def once(number: int) -> None:
            with connections[number].cursor() as cursor:
                cursor.execute(statement)
                cursor.fetchall()

        return rate_of(once, seconds, clients)


def sql_value(url: str, statement: str) -> str:
    """Return the one value that a statement yields, as text."""
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        assert row is not None
        return str(row[0])


def durable_writes(folder: Path, size: int, seconds: float, *, clients: int = 1) -> float:
    """Return files a second of *size* bytes that are written under a new name and synchronised."""
    written: list[Path] = []
    # Made beforehand: noise comes at no more than the disk's own speed.
    content = os.urandom(size)

    def once(number: int) -> None:
        path = folder / f"ceiling-{number}-{len(written)}"
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fdatasync(file.fileno())
        written.append(path)

    try:
        return rate_of(once, seconds, clients)
    finally:
        for path in written:
            path.unlink(missing_ok=True)


class _FileHandler(socketserver.BaseRequestHandler):
    """Answers every request of a kept-alive connection with one file, sent by the kernel."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _FileServer)
        # Else head and content wait for each other's acknowledgement, and the ceiling is far too low.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                piece = self.request.recv(65536)
                if not piece:
                    return
                waiting += piece
            waiting = waiting.partition(b"\r\n\r\n")[2]
            with server.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                self.request.sendfile(file)


class _FileServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    path: Path


@contextlib.contextmanager
def file_server(path: Path) -> Iterator[int]:
    """Serve one file on a free port by ``sendfile`` and nothing else; yields the port.

    It runs in a child process, as the measured web server does.
    """
    server = _FileServer(("127.0.0.1", 0), _FileHandler)
    server.path = path
    child = os.fork()
    if child == 0:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    port = int(server.server_address[1])
    server.server_close()
    try:
        yield port
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)
