"""Gunicorn with the shipped configuration: one load for all workers, and SIGHUP brings what is new."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.instance import free_ports, wait_until

pytestmark = pytest.mark.functional

ROOT = Path(__file__).resolve().parents[2]
#: Stands for the project, which takes long to load.
APPLICATION = """
import os

with open("loads", "a") as loads:
    loads.write(f"{os.getpid()}\\n")

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%s by %d" % (TEXT, os.getpid())]
"""
SETTINGS = "ROOT_URLCONF = 'routes'"


class Server:
    """A running gunicorn."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder, self.process, self.port = folder, process, port

    def ask(self) -> tuple[str, int]:
        """Return the application's text and the process that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", "/")
        text, pid = connection.getresponse().read().decode().split(" by ")
        connection.close()
        return text, int(pid)

    def says(self, text: str) -> bool:
        """Tell whether the application's text is *text*; ``ConnectionRefusedError`` when nobody listens."""
        try:
            return self.ask()[0] == text
        except (ConnectionResetError, http.client.RemoteDisconnected):
            return False  # accepted by a worker that was told to end before the request had arrived

    def loads(self) -> list[int]:
        """Return the processes that loaded the application."""
        return [int(line) for line in (self.folder / "loads").read_text().split()]


def write(folder: Path, text: str) -> None:
    """Write the application that says *text*."""
    (folder / "app.py").write_text(f"TEXT = b{text!r}\n{APPLICATION}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write(tmp_path, "old")
    (tmp_path / "routes.py").write_text("urlpatterns = [None]")
    (tmp_path / "few.py").write_text(SETTINGS)
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "conf/gunicorn.conf.py"), "app:application"],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
            "DJANGO_SETTINGS_MODULE": "few",
            "SYNNEFO_WORKERS": "2",
            "SYNNEFO_BIND": f"127.0.0.1:{port}",
        },
        cwd=tmp_path,
    )
    server = Server(tmp_path, process, port)

    def answers() -> bool:
        assert process.poll() is None, "the server ended"
        try:
            return server.ask() is not None
        except OSError:
            return False

    try:
        wait_until(answers, timeout=120, what="gunicorn's first answer")
        yield server
    finally:
        process.terminate()
        process.wait(120)


def test_the_master_loads_for_all_workers(server: Server) -> None:
    assert server.loads() == [server.process.pid]
    assert server.ask()[1] != server.process.pid


def test_reload_brings_new_code_and_refuses_nobody(server: Server) -> None:
    first = server.ask()[1]
    write(server.folder, "newer")
    # Two in a row, as impatient people do.
    for _ in range(2):
        server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.says("newer"), timeout=120, what="an answer of the new code")
    assert server.ask()[1] not in (first, server.process.pid)
    assert server.process.poll() is None
    assert set(server.loads()) == {server.process.pid}
    write(server.folder, "newest")
    server.process.send_signal(signal.SIGHUP)
    # A new master reloads, too.
    wait_until(lambda: server.says("newest"), timeout=120, what="an answer of the newest code")
