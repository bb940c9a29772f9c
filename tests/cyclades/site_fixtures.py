"""A web server of its own with the shipped configuration, on an SQLite database."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import migrated
from tests.lab.instance import free_ports

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLIC = (
    "--flavor", "CUSTOM", "--public", "--name", "public_network", "--subnet", "203.0.113.0/24",
    "--gateway", "203.0.113.1", "--floating-ip-pool", "True",
)  # fmt: skip
#: One program for all of it: to load the project takes longer than what is done.
PREPARE = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("network-create", *{PUBLIC!r})
from cyclades.logic.registration import COMPONENT, service_definitions
from cyclades.logic import value_pools
from synnefo.credentials import Credentials
from astakos import public as astakos
from astakos.models import Resource
from pithos import public as pithos
astakos.register_component(name="astakos", base_url="BASE/astakos", ui_url="http://x/ui",
                           services=astakos.service_definitions())
astakos.register_component(name="pithos", base_url="BASE/pithos", ui_url="http://x/ui",
                           services=pithos.service_definitions())
astakos.register_component(name=COMPONENT, base_url="BASE/cyclades", ui_url="http://x/ui",
                           services=service_definitions())
value_pools.create(Credentials.administrator(), kind="mac-prefix", size=64, base="aa:00:0", offset=None)
Resource.objects.update(uplimit=1 << 30)
user = astakos.create_user(email="maria@lab.example", password="a-password", first_name="M", last_name="D")
print("USER", user.uuid, user.token)
"""


@dataclass(frozen=True)
class Site:
    """A running web server and its only user."""

    port: int
    user: str
    token: str

    def call(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send header names exactly as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path)
        for name, value in {**headers, "X-Auth-Token": self.token, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content


def _environment(folder: Path, base: str) -> dict[str, str]:
    (folder / "settings").mkdir()
    (folder / "settings" / "10-test.conf").write_text(
        f"""
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {str(folder / "db.sqlite3")!r}}}}}
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}}
SECRET_KEY = "key-of-the-functional-test"
PITHOS_BACKEND_BLOCK_PATH = {str(folder / "blocks")!r}
LOG_DIR = {str(folder / "logs")!r}
ASTAKOS_BASE_URL = "{base}/astakos"
PITHOS_BASE_URL = "{base}/pithos"
CYCLADES_BASE_URL = "{base}/cyclades"
"""
    )
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("SNF_")},
        "DJANGO_SETTINGS_MODULE": "synnefo.settings",
        "SYNNEFO_SETTINGS_DIR": str(folder / "settings"),
        "SYNNEFO_WORKERS": "1",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Gunicorn with the shipped configuration on a database of its own."""
    folder = tmp_path_factory.mktemp("site")
    (port,) = free_ports(1)
    environment = _environment(folder, f"http://127.0.0.1:{port}")
    shutil.copy(migrated.sqlite_file(), folder / "db.sqlite3")
    prepared = subprocess.run(
        [sys.executable, ROOT / "manage.py", "shell", "-c", PREPARE.replace("BASE", f"http://127.0.0.1:{port}")],
        env=environment, cwd=ROOT, check=True, timeout=240, capture_output=True, text=True,
    )  # fmt: skip
    line = next(line for line in prepared.stdout.splitlines() if line.startswith("USER "))
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-c", "conf/gunicorn.conf.py", "synnefo.wsgi:application"],
        env={**environment, "SYNNEFO_BIND": f"127.0.0.1:{port}"},
        cwd=ROOT,
    )
    try:
        _wait_for(port, server)
        yield Site(port, *line.split()[1:])
    finally:
        server.terminate()
        server.wait(120)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "the server ended"
        time.sleep(0.1)
    raise AssertionError("the server does not listen")
