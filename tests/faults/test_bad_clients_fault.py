"""Clients that hang up or dawdle: everything they held is given back, and others are served meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.site import Site
from tests.faults.conftest import HEAD_SECONDS
from tests.faults.test_large_object_fault import workers

pytestmark = [pytest.mark.fault, pytest.mark.functional]

#: Of both workers.
WEB_THREADS = 2 * 16
#: Larger than what the sockets' buffers hold, so that the server is still sending when a client leaves.
LARGE = hashlib.shake_256(b"large").digest(12 << 20)


class Caller:
    """One user of the site, over sockets of its own."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.token = site.credentials["token"]
        self.root = f"/pithos/object-store/v1/{site.credentials['uuid']}/unsteady"

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=120)
        connection.request(method, target, body, {"X-Auth-Token": self.token})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def begin(self, method: str, target: str, length: int = 0) -> socket.socket:
        """Send the head of a request and return the open connection."""
        client = socket.create_connection(("127.0.0.1", self.site.port), timeout=120)
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: {self.token}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        )
        client.sendall(head.encode())
        return client


@pytest.fixture
def caller(impatient_site: Site) -> Caller:
    caller = Caller(impatient_site)
    assert caller.ask("PUT", caller.root)[0] in (201, 202)
    return caller


def held(site: Site) -> tuple[int, int]:
    """Return how many descriptors and threads the workers have."""
    assert site.web_pid is not None
    processes = [Path(f"/proc/{pid}") for pid in workers(site.web_pid)]
    return (
        sum(len(list((process / "fd").iterdir())) for process in processes),
        sum(len(list((process / "task").iterdir())) for process in processes),
    )


def settled(condition: Callable[[], bool], seconds: float = 120) -> bool:
    """Wait until *condition* holds."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


def warm(caller: Caller) -> None:
    """Let every thread of every worker do its first work, which opens connections that stay."""
    clients = [caller.begin("GET", f"{caller.root}?format=json") for _ in range(64)]
    for client in clients:
        with client, contextlib.suppress(OSError):
            client.recv(1 << 16)


def test_a_thousand_clients_hang_up(caller: Caller) -> None:
    assert caller.ask("PUT", f"{caller.root}/large", LARGE)[0] == 201
    warm(caller)
    before = held(caller.site)
    for number in range(1000):
        # Where this program is stopped for too long, the server ends the connection first.
        with contextlib.suppress(OSError):
            if number % 2:
                client = caller.begin("GET", f"{caller.root}/large")
                client.recv(1024)
            else:
                client = caller.begin("PUT", f"{caller.root}/half", len(LARGE))
                client.sendall(LARGE[:2048])
        # A reset, as from a client that died.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        if number % 250 == 0:
            assert caller.ask("GET", f"{caller.root}/large")[1] == LARGE

    def given_back() -> bool:
        # Threads that had nothing to do before come with a few connections of their own.
        now = held(caller.site)
        return now[0] <= before[0] + 3 * WEB_THREADS and now[1] <= before[1] + WEB_THREADS

    assert settled(given_back), (before, held(caller.site))
    assert caller.ask("HEAD", f"{caller.root}/half")[0] == 404
    assert caller.ask("GET", f"{caller.root}/large")[1] == LARGE


def is_cut(client: socket.socket) -> bool:
    """Send a byte; tell whether the server has closed the connection."""
    try:
        client.sendall(b"x")
        client.settimeout(0.1)
        while client.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def is_ended(client: socket.socket) -> bool:
    """Tell, without sending anything, whether the server has closed the connection."""
    client.settimeout(0.01)
    try:
        while client.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_dawdling_clients_are_cut_off(caller: Caller) -> None:
    """Heads and bodies of a byte a time, heads and bodies that stop: more of them than there are threads."""
    dawdlers = []
    for _ in range(48):
        client = socket.create_connection(("127.0.0.1", caller.site.port), timeout=120)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        dawdlers.append(client)
    silent = [caller.begin("PUT", f"{caller.root}/slow{number}", 1000) for number in range(8)]
    trickling = caller.begin("PUT", f"{caller.root}/trickle", 100_000)
    for _ in range(2 * HEAD_SECONDS):
        for client in (*dawdlers[:24], trickling):
            with contextlib.suppress(OSError):
                client.sendall(b"x")
        time.sleep(0.5)
    # Two rounds of full threads at most, then it is the others' turn.
    assert caller.ask("GET", f"{caller.root}?format=json")[0] == 200
    assert settled(lambda: is_cut(trickling))
    assert settled(lambda: all(is_ended(client) for client in (*dawdlers, *silent)))
    assert caller.ask("HEAD", f"{caller.root}/slow0")[0] == 404
    for client in (*dawdlers, *silent, trickling):
        client.close()
