"""Cyclades' side of the proxy's control protocol, against the proxy itself (compute contract 8.3)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cyclades.console import forwarding, proxies
from cyclades.console.forwarding import ForwardingRefused, ProxyUnavailable, request_forwarding
from gtools.simulator.certificate import ensure_certificate
from tests.gtools.proxy_bench import PASSWORD, SECRET, USER, Guest, ProxyThread, unused_port

pytestmark = pytest.mark.functional


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_certificate(tmp_path_factory.mktemp("tls") / "proxy.pem", ("localhost",))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[ProxyThread]:
    files = {"cert_file": certificate, "key_file": certificate}
    bench = ProxyThread(tmp_path_factory.mktemp("proxy"), enable_ssl=True, **files)
    yield bench
    bench.stop()


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    guest = Guest()
    yield guest
    guest.close()


def server(port: int, **changes: Any) -> proxies.ProxyServer:
    entry = {"auth_user": USER, "auth_password": PASSWORD, "server_port": port, **changes}
    return proxies.read(entry)[0]


def ask(proxy: proxies.ProxyServer, guest: Guest) -> forwarding.Forwarding:
    return request_forwarding(proxy, destination=("127.0.0.1", guest.port), password=SECRET, kind="vnc")


def test_a_screen_is_lent(bench: ProxyThread, guest: Guest, certificate: Path) -> None:
    proxy = server(
        bench.proxy.control_port,
        server_address="localhost",
        enable_ssl=True,
        strict=True,
        ca_cert=str(certificate),
    )
    found = ask(proxy, guest)
    assert found.host == "127.0.0.1"
    with socket.create_connection((found.host, found.port), timeout=30) as viewer:
        assert viewer.recv(12) == b"RFB 003.008\n"


def test_strict_means_the_certificate_is_checked(bench: ProxyThread, guest: Guest, tmp_path: Path) -> None:
    port = bench.proxy.control_port
    other = ensure_certificate(tmp_path / "other.pem", ("localhost",))
    strict = {"enable_ssl": True, "strict": True, "server_address": "localhost", "ca_cert": str(other)}
    with pytest.raises(ProxyUnavailable):
        ask(server(port, **strict), guest)
    assert ask(server(port, enable_ssl=True), guest).port


def test_a_wrong_password_is_a_refusal(bench: ProxyThread, guest: Guest) -> None:
    with pytest.raises(ForwardingRefused, match="Authentication failed"):
        ask(server(bench.proxy.control_port, enable_ssl=True, auth_password="wrong"), guest)


def test_nobody_listens(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_PAUSE", 0)
    with pytest.raises(ProxyUnavailable):
        ask(server(unused_port()), guest)


@pytest.mark.parametrize(
    "reply",
    [b"", b"nonsense}", b"[]", b'{"status": "OK"}', b'{"status": "OK", "source_port": "x"}', b"[" * 5000],
)
def test_replies_that_make_no_sense(guest: Guest, reply: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(reply)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(ProxyUnavailable):
        ask(server(listener.getsockname()[1]), guest)
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    "value",
    [
        [],
        ["x"],
        {"server_port": 0},
        {"auth_user": ""},
        {"strict": True},
        {"strict": True, "enable_ssl": True},
        {"server_adress": "x"},
    ],
)
def test_settings_that_make_no_sense(value: Any) -> None:
    with pytest.raises(proxies.ProxySettingsError) as raised:
        proxies.read(value)
    assert "secret_password" not in str(raised.value)


def test_one_dict_stands_for_one_proxy() -> None:
    assert proxies.read({}) == proxies.read([{}])
