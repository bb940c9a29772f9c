"""A console proxy in a thread, guests' screens for it, and Cyclades' side of its control protocol."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gtools.vncauthproxy import accounts
from gtools.vncauthproxy.options import ProxyOptions
from gtools.vncauthproxy.server import Proxy
from tests.lab.rfb_client import RfbClient

USER, PASSWORD = "synnefo", "a control password"
SECRET = "aB3xY9kQ2z"
_HASH = accounts.hash_password(PASSWORD)


class ProxyThread:
    """A running proxy; everything about it is asked through its own loop."""

    def __init__(self, directory: Path, **options: Any) -> None:
        users = directory / "users"
        users.write_text(f"{USER}:{_HASH}\n")
        settings = {
            "listen_port": 0,
            "proxy_listen_address": "127.0.0.1",
            "min_port": 20000,
            "max_port": 32000,
            "retry_wait": 0.0,
            "auth_file": users,
            "cert_file": directory / "none.pem",
        }
        self.options = ProxyOptions(**{**settings, **options})
        self.options.check()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.proxy = Proxy(self.options)
        self.run(self.proxy.start())

    def run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(120)

    def stop(self) -> None:
        self.run(self.proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def ask_raw(self, data: bytes, *, tls: ssl.SSLContext | None = None, end: bool = False) -> bytes:
        with socket.create_connection(("127.0.0.1", self.proxy.control_port), timeout=30) as plain:
            connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
            with connection:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                answer = b""
                while more := connection.recv(4096):
                    answer += more
        return answer

    def ask(self, guest: int, kind: str = "vnc", **changes: Any) -> dict[str, Any]:
        return json.loads(self.ask_raw(json.dumps(request(guest, kind, **changes)).encode()))

    def viewer(self, reply: dict[str, Any]) -> RfbClient:
        return RfbClient.over(socket.create_connection(("127.0.0.1", reply["source_port"]), timeout=30))

    def settle(self, sessions: int = 0) -> None:
        """Wait until so many sessions are left."""

        async def wait() -> None:
            async with asyncio.timeout(60):
                while self.proxy.sessions != sessions:
                    await asyncio.sleep(0.01)

        self.run(wait())


def request(guest: int, kind: str = "vnc", **changes: Any) -> dict[str, Any]:
    return {
        "source_port": 0,
        "destination_address": "127.0.0.1",
        "destination_port": guest,
        "password": SECRET,
        "auth_user": USER,
        "auth_password": PASSWORD,
        "type": kind,
        **changes,
    }


class Guest:
    """A VNC server that greets, then echoes what it gets; ``greeting`` may be something else."""

    def __init__(self, greeting: Callable[[socket.socket], None] | None = None) -> None:
        self._greet = greeting or greet
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._greet(connection)
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        self._listener.close()


def greet(connection: socket.socket, types: bytes = b"\1", result: int = 0, reason: bytes = b"") -> None:
    connection.sendall(b"RFB 003.008\n")
    connection.recv(12)
    connection.sendall(bytes([len(types)]) + types)
    if types:
        connection.recv(1)
        connection.sendall(struct.pack("!I", result))
    connection.sendall(reason)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
