"""Private RabbitMQ nodes, alone or as a cluster."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pika
import pika.exceptions

from tests.lab.instance import Instance, Unavailable, free_ports, port_answers, run_tool

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")


def _applications(plugins: Path) -> list[Path]:
    """Return the folders in *plugins* that the server itself needs, found by its list of applications."""
    wanted, found = ["rabbit", "jsx"], {}
    while wanted:
        name = wanted.pop()
        for folder in plugins.glob(f"{name}-[0-9]*"):
            if name not in found and (folder / "ebin" / f"{name}.app").exists():
                found[name] = folder
                written = (folder / "ebin" / f"{name}.app").read_text()
                lists = re.findall(r"\{\s*applications\s*,\s*\[([^]]*)\]", written)
                wanted += re.findall(r"\w+", " ".join(lists))
    return list(found.values())


def make_home(directory: Path) -> Path:
    """Make a copy of the server's home without its seventy plugins; return where its programs are.

    The server looks for each of its modules in the folder of every plugin, which is a third of what its start
    costs.
    """
    system = (_PROGRAMS / "rabbitmq-server").resolve().parents[1]
    applications = _applications(system / "plugins")
    if len(applications) < 10:  # laid out otherwise than known here
        return _PROGRAMS
    home = directory / "home"
    shutil.copytree(system / "sbin", home / "sbin")
    (home / "plugins").mkdir()
    for application in applications:
        (home / "plugins" / application.name).symlink_to(application)
    return home / "sbin"


class RabbitMQNode(Instance):
    """One broker node with its own Erlang port mapper, so that no other Erlang program is met."""

    component = "rabbitmq"

    def __init__(self, *, member_of: RabbitMQNode | None = None) -> None:
        super().__init__()
        if not (_PROGRAMS / "rabbitmq-server").exists():
            raise Unavailable("RabbitMQ is not installed")
        self.port, self.distribution_port, own_epmd_port = free_ports(3)
        self.member_of = member_of
        self.epmd_port = member_of.epmd_port if member_of else own_epmd_port
        self.cookie = member_of.cookie if member_of else self.name
        self.node = f"{self.name}@localhost"
        self._system_user = "rabbitmq" if os.getuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._home = _PROGRAMS

    @property
    def url(self) -> str:
        """AMQP URL with a user that may do everything."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_LOGS": "-",
            # Makes the start script become the broker, so that signals reach it.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            # Busy waiting of idle schedulers costs a core per node on small machines.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +sbwt none +sbwtdcpu none +sbwtdio none +S 1:1",
        }

    def _start(self) -> None:
        lines = [
            "loopback_users = none",
            "vm_memory_high_watermark.absolute = 512MB",
            "disk_free_limit.absolute = 50MB",
        ]
        if self.member_of:
            # Joining by itself is cheaper than with three calls of the command line tool.
            lines.append("cluster_formation.peer_discovery_backend = classic_config")
            nodes = enumerate((self.member_of.node, self.node), start=1)
            lines += [f"cluster_formation.classic_config.nodes.{number} = {node}" for number, node in nodes]
        (self.directory / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.directory / "enabled_plugins").write_text("[].\n")
        cookie = self.directory / ".erlang.cookie"
        cookie.write_text(self.cookie)
        cookie.chmod(0o400)
        for name in ("mnesia", "log", "generated"):
            (self.directory / name).mkdir()
        self._home = make_home(self.directory)
        if self._system_user is not None:
            account = pwd.getpwnam(self._system_user)
            for path in [self.directory, *self.directory.iterdir()]:
                os.chown(path, account.pw_uid, account.pw_gid)
        if not self.member_of:
            self._epmd = self.spawn_process(
                ["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"],
                log="epmd.log",
                environment=self._environment(),
                user=self._system_user,
            )
            self.wait_for(lambda: port_answers(self.epmd_port), child=self._epmd, log="epmd.log", timeout=120)
        self._launch()

    def _launch(self) -> None:
        self._server = self.spawn_process(
            [self._home / "rabbitmq-server"],
            log="rabbitmq.log",
            environment=self._environment(),
            user=self._system_user,
        )
        self.wait_for(self._is_ready, child=self._server, log="rabbitmq.log", timeout=240)

    def _is_ready(self) -> bool:
        return port_answers(self.port) and "Server startup complete" in self.log_tail("rabbitmq.log", 20)

    def control(self, *arguments: str, program: str = "rabbitmqctl") -> str:
        """Run ``rabbitmqctl`` (or another of its tools) against this node."""
        return run_tool(
            [_PROGRAMS / program, "-q", *arguments],
            directory=self.directory,
            environment=self._environment(),
            user=self._system_user,
        )

    # -- faults ----------------------------------------------------------------------------------

    def kill(self) -> None:
        """SIGKILL: what was not confirmed may be lost, what was confirmed must not."""
        assert self._server is not None
        (self.directory / "rabbitmq.log").write_text("")
        self.end_process(self._server, signal_number=signal.SIGKILL)

    def restart(self) -> None:
        """Stop if it runs, then start with the same data and the same port."""
        assert self._server is not None
        if self._server.poll() is None:
            self.end_process(self._server, grace=30)
        (self.directory / "rabbitmq.log").write_text("")
        self._launch()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGCONT)

    def revive(self) -> None:
        """Start it unless it runs."""
        assert self._server is not None
        if self._server.poll() is not None:
            self.restart()


class RabbitMQ:
    """One node, or a cluster of several nodes on this machine."""

    def __init__(self, *, nodes: int = 1) -> None:
        first = RabbitMQNode()
        others = [RabbitMQNode(member_of=first) for _ in range(nodes - 1)]
        self.nodes: Sequence[RabbitMQNode] = [first, *others]
        self._started = False

    @property
    def url(self) -> str:
        """AMQP URL of the first node."""
        return self.nodes[0].url

    @property
    def urls(self) -> list[str]:
        """AMQP URLs of all nodes, as AMQP_HOSTS wants them."""
        return [node.url for node in self.nodes]

    @property
    def port(self) -> int:
        """TCP port of the first node."""
        return self.nodes[0].port

    def start(self) -> RabbitMQ:
        """Start all nodes and join them; a second call changes nothing."""
        if self._started:
            return self
        self._started = True
        try:
            for node in self.nodes:
                node.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all nodes."""
        self._started = False
        for node in reversed(self.nodes):
            node.stop()

    def __enter__(self) -> RabbitMQ:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def kill(self) -> None:
        """SIGKILL the first node."""
        self.nodes[0].kill()

    def restart(self) -> None:
        """Start the first node again."""
        self.nodes[0].restart()

    def revive(self) -> None:
        """Start the first node unless it runs."""
        self.nodes[0].revive()

    def pause(self) -> None:
        """Freeze the first node."""
        self.nodes[0].pause()

    def resume(self) -> None:
        """Let the first node go on."""
        self.nodes[0].resume()

    def control(self, *arguments: str) -> str:
        """``rabbitmqctl`` on the first node."""
        return self.nodes[0].control(*arguments)

    def consumers(self, queue: str) -> int:
        """How many consumers a queue has; 0 when there is no such queue."""
        try:
            connection = pika.BlockingConnection(pika.URLParameters(self.url))
        except pika.exceptions.AMQPError:
            return 0
        with contextlib.closing(connection):
            try:
                return int(connection.channel().queue_declare(queue, passive=True).method.consumer_count)
            except pika.exceptions.ChannelClosed:
                return 0
