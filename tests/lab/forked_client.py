"""Run a program that a fork server has loaded: ``forked_client.py SOCKET NAME ARGUMENT…``.

It imports next to nothing, so that ``python -IS`` runs it in some milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

#: Seconds to load a program; the machine may be busy.
LOAD_SECONDS = 120.0


def connected(path: str) -> socket.socket:
    """Return a connection to the server, which may be loading still."""
    deadline = time.monotonic() + LOAD_SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return connection


def ask(path: str, request: bytes, *, timeout: float) -> int:
    """Have one request answered, in ``timeout`` seconds; return the exit status."""
    while True:
        with connected(path) as connection:
            connection.settimeout(timeout)
            try:
                connection.sendall(request)
                answer = connection.recv(16)
            except ConnectionError:
                # The server went to load the program anew before it took the request.
                continue
        if answer == b"again":
            continue
        return int(answer or b"70")


def main() -> int:
    """Run the program on this process's own streams."""
    streams = {
        name: f"/proc/{os.getpid()}/fd/{number}" for number, name in enumerate(("stdin", "stdout", "stderr"))
    }
    request = {"argv": sys.argv[2:], "env": dict(os.environ), "cwd": os.getcwd(), **streams}
    return ask(sys.argv[1], json.dumps(request).encode() + b"\n", timeout=600)


if __name__ == "__main__":
    sys.exit(main())
