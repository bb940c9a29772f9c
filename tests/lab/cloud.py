"""A whole cloud of real components: the project's own processes over what the other modules start.

Everything listens on the loopback address of the host, and answers at the same address inside the
cluster's namespaces, where the daemons of the "node" run.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.lab.ganeti import GanetiCluster
from tests.lab.instance import Instance, LabError, free_ports
from tests.lab.memcached import Memcached
from tests.lab.postgres import PostgreSQL
from tests.lab.rabbitmq import RabbitMQ

PROJECT = Path(__file__).resolve().parents[2]
#: The network of the guests; Cyclades hands out its addresses, the cluster routes it.
GUEST_SUBNET = "10.201.0.0/24"
GUEST_GATEWAY = "10.201.0.1"


class Cloud(Instance):
    """PostgreSQL, RabbitMQ, memcached, Ganeti, web server, dispatcher and event daemon.

    hypervisor: ``fake`` or ``kvm``; what servers of this cloud run on. Both are enabled in Ganeti.
    """

    component = "cloud"

    def __init__(self, *, hypervisor: str = "fake", port: int | None = None) -> None:
        super().__init__()
        self.hypervisor = hypervisor
        self.port = port or free_ports(1)[0]
        self.database = PostgreSQL()
        self.broker = RabbitMQ()
        self.cache = Memcached()
        others = [name for name in ("fake", "kvm") if name != hypervisor]
        self.cluster = GanetiCluster(hypervisors=(hypervisor, *others))
        self.credentials: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    # -- addresses and files -----------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Address of the web server, the same on the host and on the node."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings_directory(self) -> Path:
        """The ``*.conf`` files of this cloud."""
        return self.directory / "settings"

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every process of this cloud."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("SYNNEFO_TEST")},
            "PYTHONPATH": str(PROJECT),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "synnefo.settings",
            "SYNNEFO_SETTINGS_DIR": str(self.settings_directory),
            "SYNNEFO_BIND": f"127.0.0.1:{self.port}",
            "SYNNEFO_WORKERS": "2",
        }

    # -- life cycle --------------------------------------------------------------------------------

    def _start(self) -> None:
        for component in (self.database, self.broker, self.cache, self.cluster):
            component.start()
        for port in (self.port, *[node.port for node in self.broker.nodes]):
            self.cluster.expose(port)
        self._write_settings()
        self._seed()
        self._prepare_node()
        for name in ("web", "dispatcher", "eventd"):
            self.start_process(name)

    def _stop(self) -> None:
        for name in list(self._running):
            self.kill(name, signal.SIGTERM)
        for component in (self.cluster, self.cache, self.broker, self.database):
            component.stop()

    def _write_settings(self) -> None:
        self.settings_directory.mkdir()
        for name in ("blocks", "logs"):
            (self.directory / name).mkdir()
        cache = {"BACKEND": "synnefo.cache.memcached.MemcachedCache", "LOCATION": self.cache.address}
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "synnefo",
            "USER": self.database.user,
            "PASSWORD": self.database.password,
            "HOST": "127.0.0.1",
            "PORT": str(self.database.port),
        }
        values: dict[str, Any] = {
            "SECRET_KEY": secrets.token_urlsafe(36),
            "SECRET_ENCRYPTION_KEY": secrets.token_urlsafe(24),
            "DATABASES": {"default": database},
            "CACHES": {"default": cache},
            "AMQP_HOSTS": self.broker.urls,
            "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
            "LOG_DIR": str(self.directory / "logs"),
            "ASTAKOS_BASE_URL": f"{self.base_url}/astakos",
            "PITHOS_BASE_URL": f"{self.base_url}/pithos",
            "CYCLADES_BASE_URL": f"{self.base_url}/cyclades",
            "PITHOS_BACKEND_BLOCK_PATH": str(self.directory / "blocks"),
            # Every server gets an address; the default networks would need a floating IP of the user.
            "CYCLADES_FORCED_SERVER_NETWORKS": ["SNF:ANY_PUBLIC_IPV4"],
            "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
            # Ganeti signs its own certificate; the path to it is a private wire.
            "RAPI_TLS_VERIFY": False,
            "DISPATCHER_REPAIR_SECONDS": 5,
        }
        lines = [f"{name} = {value!r}\n" for name, value in values.items()]
        (self.settings_directory / "10-lab.conf").write_text("".join(lines))

    def _seed(self) -> None:
        cluster = self.cluster
        account = [cluster.cluster_name, str(cluster.port), cluster.user, cluster.password, self.hypervisor]
        printed = self.run_module("tests.lab.seed", self.base_url, *account).strip().splitlines()[-1]
        auth_url = f"{self.base_url}/astakos/identity/v2.0"
        self.credentials = {**json.loads(printed), "auth_url": auth_url}

    def _prepare_node(self) -> None:
        """What an administrator sets up on a Ganeti node: guests' network, OS definition, monitor."""
        self.cluster.serve_guests(f"{GUEST_GATEWAY}/24")
        monitor = self.directory / "progress-monitor"
        exports = "".join(
            f"export {name}='{self.environment[name]}'\n" for name in ("PYTHONPATH", "SYNNEFO_SETTINGS_DIR")
        )
        monitor.write_text(f'#!/bin/sh\n{exports}exec {sys.executable} -m gtools.progress_monitor "$@"\n')
        monitor.chmod(0o755)
        self.cluster.set_progress_monitor([monitor])
        if self.hypervisor == "kvm":
            settings = {
                "PROGRESS_MONITOR": self.cluster.progress_monitor,
                "PITHOS_BLOCK_PATH": self.directory / "blocks",
            }
            self.cluster.install_os_provider(PROJECT, settings)

    # -- the project's processes -------------------------------------------------------------------

    def start_process(self, name: str) -> None:
        """Start ``web``, ``dispatcher`` or ``eventd`` and wait until it works."""
        log = f"{name}.log"
        wrap = self.cluster.inside if name == "eventd" else self.cluster.with_names
        child = self.spawn_process(
            wrap(["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", *self._arguments(name)]),
            log=log,
            environment=self.environment,
            working_directory=PROJECT,
        )
        ready: Callable[[], bool] = {
            "web": self._web_answers,
            "dispatcher": self._dispatcher_consumes,
            "eventd": lambda: "connected to the broker" in self.log_tail(log),
        }[name]
        self._running[name] = child
        self.wait_for(ready, child=child, log=log, timeout=60)

    def _arguments(self, name: str) -> list[str]:
        if name == "web":
            return ["gunicorn", "-c", str(PROJECT / "conf" / "gunicorn.conf.py"), "synnefo.wsgi:application"]
        if name == "dispatcher":
            return ["cyclades.dispatcher.main", "-d", "--pid-file", str(self.directory / "dispatcher.pid")]
        spool = ["--spool-dir", "/var/lib/ganeti/eventd-spool"]
        return ["gtools.eventd", *spool, "--pid-file", "/run/snf-ganeti-eventd.pid"]

    def _web_answers(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _dispatcher_consumes(self) -> bool:
        listing = self.broker.control("list_queues", "--formatter", "json", "name", "consumers")
        return any(queue["consumers"] and "events-op" in queue["name"] for queue in json.loads(listing))

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one of the project's processes, by default without a chance to tidy up."""
        child = self._running.pop(name)
        if number == signal.SIGKILL:
            # With the master alone gone, gunicorn's workers would go on serving for a moment.
            for worker in _children(child.pid):
                os.kill(worker, signal.SIGKILL)
        self.end_process(child, signal_number=number)

    def restart(self, name: str) -> None:
        """Kill one of the project's processes and start it again."""
        self.kill(name)
        self.start_process(name)

    def manage(self, command: str, *arguments: str, check: bool = True) -> str:
        """Run ``snf-manage`` against this cloud; returns what it prints on standard output."""
        words = [sys.executable, str(PROJECT / "manage.py"), command, *arguments]
        result = subprocess.run(
            self.cluster.with_names(words),
            check=False, capture_output=True, text=True, cwd=PROJECT, env=self.environment, timeout=300,
        )  # fmt: skip
        if check and result.returncode != 0:
            raise LabError(f"{command} {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result.stdout

    def limit_servers(self, most: int | None) -> None:
        """Set how many servers the demo user may have; None is the default of this cloud."""
        capacity = "default" if most is None else str(most)
        self.manage("user-modify", self.credentials["user_uuid"], "--base-quota", "cyclades.vm", capacity)

    def run_module(self, module: str, *arguments: str) -> str:
        """Run a module of the project as a program with this cloud's settings."""
        words = self.cluster.with_names([sys.executable, "-m", module, *arguments])
        result = subprocess.run(
            words, check=False, capture_output=True, text=True, cwd=PROJECT, env=self.environment, timeout=300
        )
        if result.returncode != 0:
            raise LabError(f"{module}: {result.stdout}{result.stderr}")
        return result.stdout

    # -- clients -----------------------------------------------------------------------------------

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client of the demo user, or of another token."""
        headers = {"X-Auth-Token": token or self.credentials["token"]}
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=60)

    def logs(self) -> str:
        """The end of every log, for the report of a failed test."""
        names = ("web.log", "dispatcher.log", "eventd.log")
        return "\n".join(f"--- {name}\n{self.log_tail(name)}" for name in names)


def _children(pid: int) -> Sequence[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def describe(cloud: Cloud) -> Mapping[str, str]:
    """Where everything of a running cloud is, for people."""
    return {
        "PostgreSQL": cloud.database.url(),
        "RabbitMQ": cloud.broker.url,
        "memcached": cloud.cache.address,
        "Ganeti RAPI": f"{cloud.cluster.rapi_url}, user {cloud.cluster.user}, {cloud.cluster.password}",
        "Ganeti shell": " ".join(cloud.cluster.inside(["bash"])),
        "Settings": str(cloud.settings_directory),
        "Logs": str(cloud.directory),
    }
