"""A request's body comes straight into the reader's memory, and its answer tells when it was asked."""

from __future__ import annotations

import contextlib
import socket
from types import SimpleNamespace

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader

from synnefo import gunicorn_worker
from synnefo.gunicorn_worker import STEP_BYTES, DirectBody, PacedSocket

pytestmark = pytest.mark.unit

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def body_on(near: socket.socket, length: int, *, received: bytes = b"") -> DirectBody:
    unreader = SocketUnreader(near)
    unreader.unread(received)
    return DirectBody(LengthReader(unreader, length))


def everything(body: DirectBody, size: int) -> bytes:
    target, filled = bytearray(size), 0
    while received := body.readinto(memoryview(target)[filled:]):
        filled += received
    return bytes(target[:filled])


@pytest.mark.parametrize("early", [0, 1, 100, len(CONTENT)])
@pytest.mark.parametrize("read_before", [0, 1, 50])
def test_it_is_what_was_sent_and_ends_where_the_next_request_begins(pair, early, read_before):
    near, far = pair
    far.sendall(CONTENT[early:] + b"GET / HTTP/1.1")
    body = body_on(near, len(CONTENT), received=CONTENT[:early])
    assert body.read(read_before) + everything(body, 4096) == CONTENT
    assert body.readinto(memoryview(bytearray(10))) == 0
    assert body.read(10) == b""


def test_a_client_that_leaves_ends_it_early(pair):
    near, far = pair
    far.sendall(CONTENT[:300])
    far.close()
    assert everything(body_on(near, len(CONTENT)), 4096) == CONTENT[:300]


def test_an_error_is_noted_for_the_connection(pair):
    near, _far = pair
    near.settimeout(0.01)
    body = body_on(near, 10)
    with pytest.raises(TimeoutError):
        body.readinto(memoryview(bytearray(10)))
    assert body.failed


class Slow:
    """A socket that gives *size* bytes after *seconds*."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float, size: int) -> None:
        self.now, self.seconds, self.size = 0.0, seconds, size
        monkeypatch.setattr(gunicorn_worker, "time", SimpleNamespace(monotonic=lambda: self.now))

    def recv(self, size: int) -> bytes:
        self.now += self.seconds
        return bytes(min(size, self.size))

    def recv_into(self, target: memoryview) -> int:
        return len(self.recv(len(target)))


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(
    ("seconds", "size", "rounds"),
    # A byte at a time, just below the silence that is allowed; less than the rate; the rate.
    [(59, 1, 2), (1, 250, 121), (1, 500, None), (59, 1 << 16, None)],
)
def test_a_body_must_come_at_a_mean_rate_in_the_long_run(monkeypatch, direct, seconds, size, rounds):
    paced = PacedSocket(Slow(monkeypatch, seconds, size))
    done, target = 0, memoryview(bytearray(1 << 16))
    with contextlib.suppress(TimeoutError):
        while done < 1000:
            assert paced.recv_into(target) if direct else paced.recv(1 << 16)
            done += 1
    assert done == (1000 if rounds is None else rounds - 1)


def test_a_body_that_came_fast_may_not_dawdle_afterwards(monkeypatch):
    client = Slow(monkeypatch, 0.001, 1 << 20)
    paced = PacedSocket(client)
    for _ in range(100):
        paced.recv(1 << 20)
    client.seconds, client.size = 59, 1
    with pytest.raises(TimeoutError):
        [paced.recv(1 << 20) for _ in range(2)]


@pytest.mark.parametrize(("method", "told"), [("GET", "asked"), ("HEAD", "asked"), ("PUT", "answered")])
def test_an_answer_tells_when_it_was_asked_and_a_change_when_it_was_made(monkeypatch, method, told):
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False, headers=[])
    monkeypatch.setattr(util, "http_date", lambda: "asked")
    response = wsgi.Response(request, None, Config())
    response.force_close()
    monkeypatch.setattr(util, "http_date", lambda: "answered")
    assert [line for line in response.default_headers() if line.startswith("Date")] == [f"Date: {told}\r\n"]


def test_a_slow_client_has_time_for_each_part_of_a_large_piece():
    sent: list[bytes] = []
    request = SimpleNamespace(method="GET", version=(1, 1), should_close=lambda: False, headers=[])
    response = wsgi.Response(
        request, SimpleNamespace(sendall=lambda data: sent.append(bytes(data))), Config()
    )
    large = bytes(range(256)) * 4000
    response.start_response("200 OK", [("Content-Length", str(len(large)))])
    response.write(b"")
    response.write(large)
    assert b"".join(sent).endswith(b"\r\n\r\n" + large)
    assert max(map(len, sent)) <= STEP_BYTES
