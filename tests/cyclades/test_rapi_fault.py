"""A cluster whose RAPI fails in any way: it is set aside, others serve, and it comes back by itself."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cyclades.ganeti import allocator, clients
from cyclades.models import Backend, Flavor
from synnefo import clock, crypto, metrics
from synnefo.errors import ServiceUnavailable

pytestmark = [pytest.mark.fault, pytest.mark.db, pytest.mark.django_db]

FAILURES = 2
READ_SECONDS = 60
#: For who is to wait in vain.
SHORT_SECONDS = 1
COOLDOWN_SECONDS = 30


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate and its key, as Ganeti makes one, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ganeti.example.com")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / name
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


class Answer(BaseHTTPRequestHandler):
    """Answers that there is nothing, unless the server is told to fail."""

    server: Rapi

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.server.failure == "hanging":
            self.server.released.wait(300)
            return
        body = b"[]"
        self.send_response({"500": 500, "401": 401}.get(self.server.failure, 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None: ...


class Rapi(ThreadingHTTPServer):
    """An HTTPS server that fails as it is told."""

    daemon_threads = True

    def __init__(self, right: Path, wrong: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.failure = ""
        self.asked = 0
        self.released = threading.Event()
        self._certificates = {False: right, True: wrong}

    def get_request(self) -> Any:
        connection, address = super().get_request()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificates[self.failure == "bad TLS"])
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_args: Any) -> None: ...


@pytest.fixture
def rapis(tmp_path: Path, settings) -> Iterator[list[Rapi]]:
    right = certificate(tmp_path, "right.pem")
    servers = [Rapi(right, certificate(tmp_path, "wrong.pem")) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    settings.RAPI_CA_FILE = str(right)
    settings.RAPI_TLS_VERIFY = False
    settings.RAPI_CONNECT_TIMEOUT = settings.RAPI_READ_TIMEOUT = READ_SECONDS
    settings.RAPI_BREAKER_FAILURES = FAILURES
    settings.RAPI_BREAKER_SECONDS = COOLDOWN_SECONDS
    clients.forget_all()
    yield servers
    clients.forget_all()
    for server in servers:
        server.released.set()
        server.shutdown()
        server.server_close()


def backend_of(server: Rapi, name: str, **figures: int) -> Backend:
    return Backend.objects.create(
        clustername=name,
        port=server.server_address[1],
        username="synnefo",
        password_hash=crypto.encrypt("secret", clients.PASSWORD_PURPOSE),
        disk_templates=["drbd"],
        updated=clock.now(),
        index=Backend.objects.count(),
        **(
            {"mfree": 1 << 20, "mtotal": 1 << 20, "dfree": 1 << 24, "dtotal": 1 << 24, "ctotal": 64} | figures
        ),
    )


def available(backend: Backend) -> float:
    return float(metrics.backend_available.labels(backend.clustername)._value.get())


def ask(backend: Backend) -> None:
    with clients.rapi_for(backend) as rapi:
        rapi.GetNodes(bulk=True)


@pytest.mark.parametrize("failure", ["500", "401", "bad TLS", "hanging"])
def test_a_failing_cluster_is_set_aside_and_comes_back(
    rapis: list[Rapi], flavor: Flavor, failure: str, monkeypatch: pytest.MonkeyPatch
):
    failing = backend_of(rapis[0], "127.0.0.1")
    other = backend_of(rapis[1], "localhost", mfree=1 << 19)

    def place() -> str:
        return allocator.allocate(user_id="user", project="project", flavor=flavor).clustername

    assert place() == failing.clustername
    rapis[0].failure = failure
    patience = SHORT_SECONDS if failure == "hanging" else READ_SECONDS
    monkeypatch.setattr(clients._entry_of(failing).client, "read_timeout", patience)
    for _ in range(FAILURES):
        with pytest.raises(ServiceUnavailable):
            ask(failing)
    assert clients.is_set_aside(failing)
    assert available(failing) == 0
    asked = rapis[0].asked
    assert place() == other.clustername
    assert rapis[0].asked == asked, "somebody waits for a cluster that is set aside"
    ask(other)
    assert available(other) == 1
    rapis[0].failure = ""
    rapis[0].released.set()
    later = time.monotonic() + COOLDOWN_SECONDS + 1
    monkeypatch.setattr(clients._entry_of(failing).client, "read_timeout", READ_SECONDS)
    monkeypatch.setattr(clients._entry_of(failing).pool, "_monotonic", lambda: later)
    ask(failing)
    assert available(failing) == 1
    assert not clients.is_set_aside(failing)
