"""The site that is measured: PostgreSQL, memcached and gunicorn with two workers, and some content.

The database commits durably, as a real one does; otherwise writes could not stand beside the disk's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.lab import migrated
from tests.lab.instance import Instance, free_ports, port_answers
from tests.lab.memcached import Memcached
from tests.lab.postgres import PostgreSQL

PROJECT = Path(__file__).resolve().parents[2]


class Site(Instance):
    """A web server over private PostgreSQL and memcached; a simulated cluster only for the lines about it.

    filled: there are servers and objects, for listings to have something to show.
    """

    component = "bench"

    def __init__(self, *, filled: bool = True) -> None:
        super().__init__()
        self.filled = filled
        self.database = PostgreSQL(durable=True)
        self.cache = Memcached()
        self.port = free_ports(1)[0]
        self.credentials: dict[str, str] = {}
        self.rapi_port, self.control_port = free_ports(2)
        self._web: subprocess.Popen[bytes] | None = None
        self._has_cluster = False

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every process of the site."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("SYNNEFO_TEST")},
            "PYTHONPATH": str(PROJECT),
            "DJANGO_SETTINGS_MODULE": "synnefo.settings",
            "SYNNEFO_SETTINGS_DIR": str(self.directory / "settings"),
            "SYNNEFO_BIND": f"127.0.0.1:{self.port}",
            "SYNNEFO_WORKERS": "2",
        }

    @property
    def base_url(self) -> str:
        """Address of the web server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def blocks(self) -> Path:
        """The block store's directory, for measuring the disk below it."""
        return self.directory / "blocks"

    @property
    def web_pid(self) -> int | None:
        """Process id of the web server's master."""
        return self._web.pid if self._web is not None else None

    @property
    def process_ids(self) -> list[int]:
        """Process ids of all that answers a request: web server, database, cache."""
        return [*super().process_ids, *self.database.process_ids, *self.cache.process_ids]

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a module with the site's settings (and *environment*) and return what it prints."""
        command = [sys.executable, "-m", *arguments]
        result = subprocess.run(
            command,
            env={**self.environment, **(environment or {})},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{result.stderr[-2000:]}")
        return result.stdout

    def _start(self) -> None:
        self.database.start()
        self.cache.start()
        for name in ("settings", "blocks", "logs"):
            (self.directory / name).mkdir()
        (self.directory / "settings" / "10-bench.conf").write_text(self._configuration())
        migrated.fill(self.database.url())
        arguments = (self.base_url, "filled" if self.filled else "bare")
        self.credentials = json.loads(self.run("tests.benchmarks.content", *arguments).splitlines()[-1])
        # Rows that came in bulk: autovacuum would have looked at them by the time a site is used.
        self.database.execute("VACUUM ANALYZE", "synnefo")
        self._web = self.spawn_process(
            [sys.executable, "-m", "gunicorn", "-c", "conf/gunicorn.conf.py", "synnefo.wsgi:application"],
            log="web.log", environment=self.environment, working_directory=PROJECT,
        )  # fmt: skip
        self.wait_for(self._is_ready, child=self._web, log="web.log", timeout=240)

    def add_cluster(self) -> None:
        """Start a simulated Ganeti cluster and register it, with a network to take addresses from."""
        if self._has_cluster:
            return
        self._has_cluster = True
        folder = self.directory / "ganeti"
        (folder / "queue").mkdir(parents=True)
        (folder / "password").write_text("rapi-password")
        child = self.spawn_process(
            [
                sys.executable, "-m", "gtools.simulator", "--port", str(self.rapi_port), "--control-port",
                str(self.control_port), "--queue-dir", folder / "queue", "--state", folder / "state.json",
                "--cluster-name", "localhost", "--password-file", folder / "password", "--speed", "0",
            ],
            log="ganeti.log", environment=self.environment, working_directory=PROJECT,
        )  # fmt: skip
        self.wait_for(lambda: port_answers(self.rapi_port), child=child, log="ganeti.log", timeout=240)
        account = ["--user", "synnefo", "--pass=rapi-password", "--port", str(self.rapi_port)]
        self.manage("backend-add", "--clustername", "localhost", *account, "--hypervisor", "fake")
        listed = json.loads(self.manage("backend-list", "--output-format", "json"))
        number = next(row["id"] for row in listed if row["clustername"] == "localhost")
        self.manage("backend-modify", str(number), "--drained", "False")
        for third in (0, 4):  # a network has at most 1,022 addresses
            subnet = ["--subnet", f"10.64.{third}.0/22", "--gateway", f"10.64.{third}.1", "--dhcp", "True"]
            self.manage("network-create", "--public", "--name", "Internet", "--flavor", "CUSTOM", *subnet)

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it prints."""
        return self.run("synnefo.cli", *arguments)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _stop(self) -> None:
        if self._web is not None:
            self.end_process(self._web)
        self.cache.stop()
        self.database.stop()

    def _configuration(self) -> str:
        database = {
            "ENGINE": "django.db.backends.postgresql", "NAME": "synnefo", "USER": self.database.user,
            "PASSWORD": self.database.password, "HOST": "127.0.0.1", "PORT": str(self.database.port),
        }  # fmt: skip
        cache = {
            "BACKEND": "synnefo.cache.memcached.MemcachedCache",
            "LOCATION": self.cache.address,
            "OPTIONS": {"socket_timeout": 20},  # a busy machine is no failure
        }
        values = {
            "SECRET_KEY": "key of the benchmarks", "SECRET_ENCRYPTION_KEY": "key of the benchmarks",
            "DATABASES": {"default": database}, "CACHES": {"default": cache}, "LOG_LEVEL": "WARNING",
            "LOG_DIR": str(self.directory / "logs"), "PITHOS_BACKEND_BLOCK_PATH": str(self.blocks),
            "ASTAKOS_BASE_URL": f"{self.base_url}/astakos", "PITHOS_BASE_URL": f"{self.base_url}/pithos",
            "CYCLADES_BASE_URL": f"{self.base_url}/cyclades",
            "CYCLADES_FORCED_SERVER_NETWORKS": ["SNF:ANY_PUBLIC_IPV4"], "RAPI_TLS_VERIFY": False,
            "AMQP_HOSTS": [f"embedded://{self.directory}/queue.sqlite3"],
        }  # fmt: skip
        return "".join(f"{name} = {value!r}\n" for name, value in values.items())
