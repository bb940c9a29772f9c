"""The console proxy with real connections: who gets a screen, and who does not (compute contract 8.3)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gtools.simulator.certificate import ensure_certificate
from tests.gtools.proxy_bench import PASSWORD, SECRET, USER, Guest, ProxyThread, greet, request, unused_port
from tests.lab.rfb_client import Refused, RfbClient

pytestmark = pytest.mark.functional
ORIGIN = "https://cloud.example"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def certificate(directory: Path) -> Path:
    return ensure_certificate(directory / "proxy.pem", ("localhost", "127.0.0.1"))


@pytest.fixture(scope="module")
def bench(directory: Path, certificate: Path) -> Iterator[ProxyThread]:
    bench = ProxyThread(
        directory,
        cert_file=certificate,
        key_file=certificate,
        origin=(ORIGIN,),
        websocket_port=0,
        websocket_plain=True,
        websocket_url="wss://console.example/vnc",
    )
    yield bench
    bench.stop()


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    guest = Guest()
    yield guest
    guest.close()


@contextlib.contextmanager
def another(directory: Path, **options: Any) -> Iterator[ProxyThread]:
    bench = ProxyThread(directory, **options)
    try:
        yield bench
    finally:
        bench.stop()


@contextlib.contextmanager
def over_websocket(address: str, **options: Any) -> Iterator[tuple[Any, RfbClient]]:
    options.setdefault("subprotocols", ["binary"])
    options.setdefault("origin", ORIGIN)
    with connect(address, open_timeout=30, **options) as connection:
        yield connection, RfbClient(lambda: connection.recv(timeout=30), connection.send)


def is_turned_away(address: str, **options: Any) -> bool:
    with pytest.raises(InvalidStatus), over_websocket(address, **options):
        pass
    return True


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


@pytest.mark.parametrize("version", [b"RFB 003.003\n", b"RFB 003.007\n", b"RFB 003.008\n"])
def test_who_knows_the_password_gets_the_screen(bench: ProxyThread, guest: Guest, version: bytes) -> None:
    reply = bench.ask(guest.port)
    assert reply["status"] == "OK"
    assert reply["proxy_address"] == "127.0.0.1"
    viewer = bench.viewer(reply).log_in(SECRET, version)
    assert viewer.security_types == [2]
    viewer.send(b"x" * 100_000)
    assert viewer.read(100_000) == b"x" * 100_000


def test_only_eight_characters_of_the_password_count(bench: ProxyThread, guest: Guest) -> None:
    bench.viewer(bench.ask(guest.port)).log_in(SECRET[:8])


@pytest.mark.parametrize("version", [b"RFB 003.003\n", b"RFB 003.008\n"])
def test_a_wrong_password_ends_the_session(bench: ProxyThread, guest: Guest, version: bytes) -> None:
    reply = bench.ask(guest.port)
    with pytest.raises(Refused):
        bench.viewer(reply).log_in("not it", version)
    with pytest.raises(OSError):
        bench.viewer(reply)


def test_a_screen_is_lent_once(bench: ProxyThread, guest: Guest) -> None:
    reply = bench.ask(guest.port)
    first = bench.viewer(reply).log_in(SECRET)
    with pytest.raises(OSError):
        bench.viewer(reply)
    first.send(b"still here")
    assert first.read(10) == b"still here"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"auth_password": "wrong"}, "Authentication failed"),
        ({"auth_user": "nobody"}, "Authentication failed"),
        ({"type": "spice"}, "Unknown proxy type"),
        ({"destination_port": 0}, None),
        ({"source_port": 80}, None),
    ],
)
def test_refusals(bench: ProxyThread, guest: Guest, changes: dict[str, Any], reason: str | None) -> None:
    reply = bench.ask(guest.port, **changes)
    told = {"reason": reason} if reason else {}
    assert reply == {"source_port": 0, "status": "FAILED", "proxy_address": None, **told}


def test_a_request_may_end_with_a_line_break_or_with_the_connection(bench: ProxyThread, guest: Guest) -> None:
    body = json.dumps(request(guest.port)).encode()
    assert json.loads(bench.ask_raw(body + b"\r\n"))["status"] == "OK"
    assert json.loads(bench.ask_raw(body, end=True))["status"] == "OK"
    assert json.loads(bench.ask_raw(body[:-1], end=True))["status"] == "FAILED"


def test_guests_that_can_not_be_shown(bench: ProxyThread) -> None:
    def is_refused(port: int) -> bool:
        return bench.ask(port)["status"] == "FAILED"

    before = bench.proxy.sessions
    assert is_refused(unused_port())
    for greeting in (
        lambda connection: greet(connection, types=b"\2"),
        lambda connection: greet(connection, types=b"", reason=b"\0\0\0\2no"),
        lambda connection: greet(connection, result=1, reason=b"\0\0\0\2no"),
        lambda connection: connection.sendall(b"RFB 003.003\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 400\r\n"),
        lambda connection: connection.close(),
    ):
        guest = Guest(greeting)
        assert is_refused(guest.port)
        guest.close()
    assert bench.proxy.sessions == before


def test_nobody_comes_in_time(directory: Path, guest: Guest) -> None:
    with another(directory, connect_timeout=0.0, max_port=20005, min_port=20000) as bench:
        for _ in range(20):
            bench.settle()
            assert bench.ask(guest.port)["status"] == "OK"
        bench.settle()


def test_there_is_a_most_of_sessions(directory: Path, guest: Guest) -> None:
    with another(directory, max_sessions=1) as bench:
        reply = bench.ask(guest.port)
        assert bench.ask(guest.port)["status"] == "FAILED"
        bench.viewer(reply).log_in(SECRET)


def test_a_dawdling_client_is_cut_off(directory: Path, guest: Guest) -> None:
    with another(directory) as bench:
        reply = bench.ask(guest.port)
        # Only now: the answer itself may take longer than that.
        object.__setattr__(bench.options, "handshake_timeout", 0.2)
        silent = bench.viewer(reply)
        with pytest.raises(Refused):
            silent.read(10_000)
        bench.settle()
        assert json.loads(bench.ask_raw(b'{"type": '))["status"] == "FAILED"


def test_a_websocket_carries_the_screen(bench: ProxyThread, guest: Guest) -> None:
    reply = bench.ask(guest.port, "vnc-ws")
    address = f"ws://127.0.0.1:{reply['source_port']}/websockify"
    with over_websocket(address) as (connection, viewer):
        viewer.log_in(SECRET)
        assert connection.subprotocol == "binary"
        viewer.send(b"y" * 70_000)
        assert viewer.read(70_000) == b"y" * 70_000


def test_a_websocket_that_sends_text_is_closed(bench: ProxyThread, guest: Guest) -> None:
    reply = bench.ask(guest.port, "vnc-ws")
    with over_websocket(f"ws://127.0.0.1:{reply['source_port']}/") as (connection, viewer):
        viewer.read(12)
        connection.send("RFB 003.008\n")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=30)
        assert closed.value.rcvd.code == 1003


def test_a_websocket_in_tls(bench: ProxyThread, guest: Guest, certificate: Path) -> None:
    reply = bench.ask(guest.port, "vnc-wss")
    address = f"wss://localhost:{reply['source_port']}/"
    with over_websocket(address, ssl=trusting(certificate)) as (_, viewer):
        viewer.log_in(SECRET)


def test_pages_of_strangers_get_no_screen(bench: ProxyThread, guest: Guest) -> None:
    reply = bench.ask(guest.port, "vnc-ws")
    address = f"ws://127.0.0.1:{reply['source_port']}/"
    assert is_turned_away(address, origin="https://evil.example")
    assert is_turned_away(address, origin=None)
    assert is_turned_away(address, subprotocols=["base64"])
    with over_websocket(address) as (_, viewer):
        viewer.log_in(SECRET)


def test_all_browsers_may_come_to_one_address(bench: ProxyThread, guest: Guest) -> None:
    reply = bench.ask(guest.port, "vnc-wss")
    ticket = reply["websocket_url"].removeprefix("wss://console.example/vnc/")
    address = f"ws://127.0.0.1:{bench.proxy.websocket_port}/vnc/{ticket}"
    assert is_turned_away(address[:-1])
    assert is_turned_away(address, origin="https://evil.example")
    with over_websocket(address) as (_, viewer):
        viewer.log_in(SECRET)
        with over_websocket(address) as (second, _), pytest.raises(ConnectionClosed) as closed:
            second.recv(timeout=30)
        assert closed.value.rcvd.code == 1001
        viewer.send(b"mine")
        assert viewer.read(4) == b"mine"


def test_requests_in_tls(directory: Path, certificate: Path, guest: Guest) -> None:
    files = {"cert_file": certificate, "key_file": certificate}
    with another(directory, enable_ssl=True, **files) as bench:
        body = json.dumps(request(guest.port)).encode()
        assert json.loads(bench.ask_raw(body, tls=trusting(certificate)))["status"] == "OK"


def test_without_a_certificate_there_is_no_tls_for_clients(directory: Path, guest: Guest) -> None:
    with another(directory) as bench:
        assert bench.ask(guest.port, "vnc-wss")["reason"] == "vnc-wss needs a certificate"


def test_the_daemon_reads_its_users_anew_and_stops(tmp_path: Path, guest: Guest) -> None:
    passwd = [sys.executable, "-m", "gtools.vncauthproxy.passwd"]
    users, port = tmp_path / "users", unused_port()
    subprocess.run([*passwd, "-p", "first", str(users), USER], check=True)
    files = [f"--auth-file={users}", f"--pid-file={tmp_path / 'pid'}", f"--cert-file={tmp_path / 'none'}"]
    log = (tmp_path / "log").open("w+")
    daemon = subprocess.Popen(
        [sys.executable, "-m", "gtools.vncauthproxy.daemon", "-d", "--listen-port", str(port), *files],
        stderr=log,
    )

    def ask(password: str) -> str:
        body = json.dumps(request(guest.port, auth_password=password)).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(body)
            return json.loads(connection.makefile().read())["status"]

    def logged(text: str) -> None:
        for _ in range(3000):
            if text in (tmp_path / "log").read_text():
                return
            try:
                daemon.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError((tmp_path / "log").read_text())

    try:
        logged("requests at")
        assert ask("first") == "OK"
        subprocess.run([*passwd, "-p", PASSWORD, str(users), USER], check=True)
        os.kill(daemon.pid, signal.SIGHUP)
        logged("read anew")
        assert ask(PASSWORD) == "OK"
        assert ask("first") == "FAILED"
    finally:
        daemon.terminate()
        assert daemon.wait(60) == 0
    text = (tmp_path / "log").read_text()
    assert "first" not in text
    assert PASSWORD not in text
    assert SECRET not in text
    assert not (tmp_path / "pid").exists()
