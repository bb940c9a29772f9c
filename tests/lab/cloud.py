"""A whole cloud of real components: the project's own processes over what the other modules start.

Everything listens on the loopback address of the host, and answers at the same address inside the
cluster's namespaces, where the daemons of the "node" run.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from gtools.vncauthproxy.accounts import hash_password
from tests.lab import migrated
from tests.lab.ganeti import GanetiCluster, with_hosts_file
from tests.lab.instance import Instance, LabError, free_ports
from tests.lab.memcached import Memcached
from tests.lab.postgres import PostgreSQL
from tests.lab.rabbitmq import RabbitMQ
from tests.lab.simulated import SimulatedCluster
from tests.lab.wires import add_bridge, join_bridges

PROJECT = Path(__file__).resolve().parents[2]
#: The network of the guests; Cyclades hands out its addresses, the cluster routes it.
GUEST_SUBNET = "10.201.0.0/24"
GUEST_GATEWAY = "10.201.0.1"
#: The address of each cluster's node on that network; Cyclades hands out those in between only.
GUEST_ROUTERS = (GUEST_GATEWAY, "10.201.0.254", "10.201.0.253")
GUEST_POOL = "10.201.0.2,10.201.0.250"
#: The same for IPv6; the first node is the gateway.
GUEST_IPV6 = "fd5a:201:0:1::"
#: A CD without an operating system: a server in rescue mode gets as far as its BIOS.
RESCUE_IMAGE = "empty.iso"
#: Where private networks are; the project's default.
PRIVATE_BRIDGE = "prv0"


class Cloud(Instance):
    """PostgreSQL, RabbitMQ, memcached, Ganeti, web server, dispatcher and event daemon.

    hypervisor: ``fake`` or ``kvm``; what servers of this cloud run on. Both are enabled in Ganeti.
    clusters: how many Ganeti clusters; their guests share the public and the private networks.
    fast_boot: see GanetiCluster.
    ipv6: the public network has IPv6, too.
    """

    component = "cloud"

    def __init__(
        self,
        *,
        hypervisor: str = "fake",
        port: int | None = None,
        clusters: int = 1,
        fast_boot: bool = False,
        ipv6: bool = False,
    ) -> None:
        super().__init__()
        self.hypervisor = hypervisor
        self.fast_boot = fast_boot
        self.ipv6 = ipv6
        self.port = port or free_ports(1)[0]
        self.console_port = free_ports(1)[0]
        self.database = PostgreSQL(crashes=True)
        self.broker = RabbitMQ()
        self.cache = Memcached()
        self.clusters = [self._make_cluster() for _ in range(clusters)]
        #: The first cluster, for everyone who needs one.
        self.cluster = self.clusters[0]
        self.credentials: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def further_settings(self) -> dict[str, Any]:
        """Settings of one kind of cloud."""
        return {}

    def _make_cluster(self) -> Any:
        others = [name for name in ("fake", "kvm") if name != self.hypervisor]
        return GanetiCluster(
            hypervisors=(self.hypervisor, *others),
            fast_boot=self.fast_boot,
            volumes=self.directory / "volumes",
        )

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
        for component in (self.database, self.broker, self.cache, *self.clusters):
            component.start()
        for cluster in self.clusters:
            for port in (self.port, *[node.port for node in self.broker.nodes]):
                cluster.expose(port)
        self._write_settings()
        self._seed()
        self._prepare_nodes()
        for name in ("web", "dispatcher", "console", *self.event_daemons):
            self.start_process(name)

    def _stop(self) -> None:
        for name in list(self._running):
            self.kill(name, signal.SIGTERM)
        for component in (*self.clusters, self.cache, self.broker, self.database):
            component.stop()

    def _write_settings(self) -> None:
        self.settings_directory.mkdir()
        for name in ("blocks", "logs", "rescue"):
            (self.directory / name).mkdir()
        (self.directory / "rescue" / RESCUE_IMAGE).write_bytes(bytes(1 << 20))
        cache = {
            "BACKEND": "synnefo.cache.memcached.MemcachedCache",
            "LOCATION": self.cache.address,
            "OPTIONS": {"socket_timeout": 20},  # a busy machine is no failure
        }
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "synnefo",
            "USER": self.database.user,
            "PASSWORD": self.database.password,
            "HOST": "127.0.0.1",
            "PORT": str(self.database.port),
        }
        console = {"auth_password": secrets.token_urlsafe(12), "server_port": self.console_port}
        (self.directory / "console-users").write_text(f"synnefo:{hash_password(console['auth_password'])}\n")
        values: dict[str, Any] = {
            "CYCLADES_VNCAUTHPROXY_OPTS": console,
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
            # A server whose order names no network gets a floating IP that its owner has reserved.
            "CYCLADES_DEFAULT_SERVER_NETWORKS": ["SNF:ANY_PUBLIC_IPV4"],
            # The shipped one takes half a second of processor time for each password.
            "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
            "EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
            # Ganeti signs its own certificate; the path to it is a private wire.
            "RAPI_TLS_VERIFY": False,
            "DISPATCHER_REPAIR_SECONDS": 5,
            "RESCUE_ENABLED": True,
            "RESCUE_IMAGE_PATH": str(self.directory / "rescue"),
            **self.further_settings,
        }
        lines = [f"{name} = {value!r}\n" for name, value in values.items()]
        (self.settings_directory / "10-lab.conf").write_text("".join(lines))

    def _seed(self) -> None:
        migrated.fill(self.database.url())
        accounts = [
            word
            for cluster in self.clusters
            for word in (cluster.cluster_name, str(cluster.port), cluster.user, cluster.password)
        ]
        arguments = [*(["--ipv6"] if self.ipv6 else []), self.base_url, self.hypervisor, *accounts]
        printed = self.run_module("tests.lab.seed", *arguments).strip().splitlines()[-1]
        auth_url = f"{self.base_url}/astakos/identity/v2.0"
        self.credentials = {**json.loads(printed), "auth_url": auth_url}

    def _prepare_nodes(self) -> None:
        """What an administrator sets up on Ganeti nodes: guests' networks, OS definition, monitor."""
        monitor = self._write_progress_monitor()
        for number, (cluster, address) in enumerate(zip(self.clusters, GUEST_ROUTERS, strict=False), start=1):
            # Guests ask with a broadcast that reaches every node; only the one that has the guest answers.
            cluster.serve_guests(f"{address}/24")
            if self.ipv6:
                cluster.run(["ip", "address", "add", f"{GUEST_IPV6}{number}/64", "dev", "br0", "nodad"])
            add_bridge(cluster, PRIVATE_BRIDGE)
            cluster.set_progress_monitor([monitor])
            if self.hypervisor == "kvm":
                settings = {
                    "PROGRESS_MONITOR": cluster.progress_monitor,
                    "PITHOS_BLOCK_PATH": self.directory / "blocks",
                }
                cluster.install_os_provider(PROJECT, settings)
        for other in self.clusters[1:]:
            for bridge in ("br0", PRIVATE_BRIDGE):
                join_bridges(self.cluster, other, bridge)

    def _write_progress_monitor(self) -> Path:
        monitor = self.directory / "progress-monitor"
        exports = "".join(
            f"export {name}='{self.environment[name]}'\n" for name in ("PYTHONPATH", "SYNNEFO_SETTINGS_DIR")
        )
        monitor.write_text(f'#!/bin/sh\n{exports}exec {sys.executable} -m gtools.progress_monitor "$@"\n')
        monitor.chmod(0o755)
        return monitor

    # -- the project's processes -------------------------------------------------------------------

    def start_process(self, name: str) -> None:
        """Start ``web``, ``dispatcher``, ``console`` or one of :attr:`node_daemons`, until it works."""
        log = f"{name}.log"
        nodes = self.node_daemons
        wrap = nodes[name].around_event_daemon if name in nodes else self.with_names
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
            "snapshots": lambda: "takes requests" in self.log_tail(log),
            "console": lambda: "requests at" in self.log_tail(log),
        }[name.partition("-")[0]]
        self._running[name] = child
        self.wait_for(ready, child=child, log=log, timeout=240)

    @property
    def event_daemons(self) -> tuple[str, ...]:
        """Names of the event daemons, one on each cluster's master."""
        return self._one_for_each_cluster("eventd")

    @property
    def snapshot_agents(self) -> tuple[str, ...]:
        """Names of the snapshot agents, one on each cluster's node; not started by themselves."""
        return self._one_for_each_cluster("snapshots")

    def _one_for_each_cluster(self, name: str) -> tuple[str, ...]:
        return (name, *(f"{name}-{number}" for number in range(2, len(self.clusters) + 1)))

    @property
    def node_daemons(self) -> dict[str, Any]:
        """All daemons of nodes, and the clusters they belong to."""
        names = (*self.event_daemons, *self.snapshot_agents)
        return dict(zip(names, (*self.clusters, *self.clusters), strict=True))

    @property
    def names(self) -> dict[str, str]:
        """Host names of all clusters and their addresses."""
        return {name: address for cluster in self.clusters for name, address in cluster.names.items()}

    def with_names(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs ``command`` on the host, able to resolve all clusters' names."""
        hosts = self.directory / "hosts"
        if not hosts.exists():
            lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in self.names.items())]
            hosts.write_text("\n".join(lines) + "\n")
        return with_hosts_file(hosts, command)

    def _arguments(self, name: str) -> list[str]:
        if name == "web":
            return ["gunicorn", "-c", str(PROJECT / "conf" / "gunicorn.conf.py"), "synnefo.wsgi:application"]
        if name == "dispatcher":
            return ["cyclades.dispatcher.main", "-d", "--pid-file", str(self.directory / "dispatcher.pid")]
        if name in self.snapshot_agents:
            settings = self.directory / "snapshot-agent"
            settings.write_text(f"PITHOS_BLOCK_PATH={shlex.quote(str(self.directory / 'blocks'))}\n")
            node = self.node_daemons[name].rapi("GET", "/2/nodes")[0]["id"]
            return ["gtools.snapshots", "--node-name", node, "--image-config", str(settings)]
        if name == "console":
            files = [
                f"--auth-file={self.directory / 'console-users'}",
                f"--pid-file={self.directory / 'console.pid'}",
            ]
            listen = ["--proxy-listen-address=127.0.0.1", f"--listen-port={self.console_port}"]
            return ["gtools.vncauthproxy.daemon", "-d", *files, *listen, f"--origin={self.base_url}"]
        return ["gtools.eventd", *self.node_daemons[name].event_daemon_arguments]

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _dispatcher_consumes(self) -> bool:
        # While it is loading, each question to the broker would cost about as much as the wait between two.
        running = self.directory / "dispatcher.pid"
        if not running.exists() or running.read_text() != f"{self.pid_of('dispatcher')}\n":
            return False
        return any(self.broker.consumers(f"snf-events-op{suffix}") for suffix in ("", "-q"))

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one of the project's processes, by default without a chance to tidy up."""
        child = self._running.pop(name)
        if number == signal.SIGKILL:
            # With the master alone gone, gunicorn's workers would go on serving for a moment.
            for worker in worker_pids(child.pid):
                os.kill(worker, signal.SIGKILL)
        self.end_process(child, signal_number=number)

    def pid_of(self, name: str) -> int:
        """The process id of one of the project's processes; ``web``: of gunicorn's master."""
        return self._running[name].pid

    def restart(self, name: str) -> None:
        """Kill one of the project's processes and start it again."""
        self.kill(name)
        self.start_process(name)

    def manage(self, command: str, *arguments: str, check: bool = True) -> str:
        """Run ``snf-manage`` against this cloud; returns what it prints on standard output."""
        words = [sys.executable, str(PROJECT / "manage.py"), command, *arguments]
        result = subprocess.run(
            self.with_names(words),
            check=False, capture_output=True, text=True, cwd=PROJECT, env=self.environment, timeout=300,
        )  # fmt: skip
        if check and result.returncode != 0:
            raise LabError(f"{command} {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result.stdout

    def limit_servers(self, most: int | None) -> None:
        """Set how many servers the demo user may have; None is the default of this cloud."""
        capacity = "default" if most is None else str(most)
        self.manage("user-modify", self.credentials["user_uuid"], "--base-quota", "cyclades.vm", capacity)

    def run_module(self, module: str, *arguments: str, timeout: float = 600) -> str:
        """Run a module of the project as a program with this cloud's settings."""
        words = self.with_names([sys.executable, "-m", module, *arguments])
        result = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            cwd=PROJECT,
            env=self.environment,
            timeout=timeout,
        )
        if result.returncode != 0:
            raise LabError(f"{module}: {result.stdout}{result.stderr}")
        return result.stdout

    # -- clients -----------------------------------------------------------------------------------

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client of the demo user, or of another token."""
        headers = {"X-Auth-Token": token or self.credentials["token"]}
        # There is no TLS here, and to read the system's certificates takes long.
        return httpx.Client(base_url=self.base_url, headers=headers, timeout=60, verify=False)

    def logs(self) -> str:
        """The end of every log, for the report of a failed test."""
        names = ("web.log", "dispatcher.log", "console.log", *(f"{name}.log" for name in self.event_daemons))
        return "\n".join(f"--- {name}\n{self.log_tail(name)}" for name in names)


class SimulatedCloud(Cloud):
    """The same over simulated clusters: what the project does is the same, and no guest costs anything."""

    component = "simcloud"

    def __init__(self, *, clusters: int = 2, speed: float = 10.0) -> None:
        self.speed = speed
        super().__init__(hypervisor="fake", clusters=clusters)
        self.database = PostgreSQL(durable=True)

    @property
    def further_settings(self) -> dict[str, Any]:
        """Addresses that need no floating IP; what has gone wrong is given up, and mended, soon."""
        return {
            "DISPATCHER_RECONCILE_SECONDS": 20,
            "DISPATCHER_RECONCILE_QUIET_SECONDS": 10,
            "CYCLADES_DEFAULT_SERVER_NETWORKS": [],
            "CYCLADES_FORCED_SERVER_NETWORKS": ["SNF:ANY_PUBLIC_IPV4"],
            "RAPI_READ_TIMEOUT": 10,
        }

    def _make_cluster(self) -> SimulatedCluster:
        return SimulatedCluster(speed=self.speed)

    def _prepare_nodes(self) -> None:
        """Nothing to prepare on simulated nodes."""


def worker_pids(pid: int) -> Sequence[int]:
    """The children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def describe(cloud: Cloud) -> Mapping[str, str]:
    """Where everything of a running cloud is, for people."""
    clusters = {
        f"Ganeti {number}": f"{cluster.rapi_url}, user {cluster.user}, {cluster.password}; shell: "
        + " ".join(cluster.inside(["bash"]))
        for number, cluster in enumerate(cloud.clusters, start=1)
    }
    return {
        "PostgreSQL": cloud.database.url(),
        "RabbitMQ": cloud.broker.url,
        "memcached": cloud.cache.address,
        **clusters,
        "snf-manage": f"SYNNEFO_SETTINGS_DIR={cloud.settings_directory} "
        + shlex.join(cloud.with_names([sys.executable, PROJECT / "manage.py"])),
        "Logs": str(cloud.directory),
    }
