"""Private RabbitMQ nodes, alone or as a cluster."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pika
import pika.exceptions

from tests.lab.instance import Instance, Unavailable, free_ports, port_answers, run_tool

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
#: Applications that a node only needs when asked for them, and the libraries it always needs.
_LOADED_ON_DEMAND = ("cuttlefish", "observer_cli", "recon", "stdout_formatter")
_LIBRARIES = ("kernel", "stdlib", "sasl", "mnesia")
_MODULES = re.compile(r"{\s*modules\s*,\s*\[[^]]*\]\s*}")


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


@dataclass(frozen=True)
class Home:
    """A server's programs, and what its virtual machine is told so that its start costs half as much."""

    programs: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: str = ""


def make_home(directory: Path) -> Home:
    """Make a copy of the server's home that starts at half the cost.

    The server looks for each of its modules in the folders of a hundred plugins and libraries;
    here one folder has all modules, and there are no plugins. It loads all modules of each library to
    look for steps of its start, which only its own have; here libraries do not list theirs, so that what
    nobody calls is never translated. And to load modules together is far cheaper than one after another.
    """
    system = (_PROGRAMS / "rabbitmq-server").resolve().parents[1]
    applications = _applications(system / "plugins")
    erlang = Path(shutil.which("erl") or "/usr/bin/erl").resolve().parents[1] / "lib"
    libraries = [folder for folder in erlang.glob("*-*") if (folder / "ebin").exists()]
    if len(applications) < 10 or len(libraries) < 10:  # laid out otherwise than known here
        return Home(_PROGRAMS)
    home = directory / "home"
    plugins, modules = home / "plugins", home / "modules"
    shutil.copytree(system / "sbin", home / "sbin")
    plugins.mkdir()
    modules.mkdir()
    for application in applications:
        (plugins / application.name).symlink_to(application)
    together: list[str] = []
    for folder in (*applications, *libraries):
        files = list(folder.glob("ebin/*.beam"))
        for file in files:
            (modules / file.name).symlink_to(file)
        name = folder.name.rpartition("-")[0]
        if name not in _LOADED_ON_DEMAND and (folder in applications or name in _LIBRARIES):
            together += [f"'{file.stem}'" for file in files]
        if not name.startswith("rabbit"):
            written = (folder / "ebin" / f"{name}.app").read_text()
            (modules / f"{name}.app").write_text(_MODULES.sub("{modules, []}", written))
    return Home(
        home / "sbin",
        # Without the last, the script would start the server before it looks at our arguments.
        {"RABBITMQ_PLUGINS_DIR": str(plugins), "RABBITMQ_NODE_ONLY": "true"},
        f" -pa {modules} -eval code:ensure_modules_loaded([{','.join(together)}]). -s rabbit boot",
    )


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
        self._home = Home(_PROGRAMS)

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
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            # Busy waiting of idle schedulers costs a core per node on small machines.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +sbwt none +sbwtdcpu none +sbwtdio none +S 1:1"
            + self._settings()
            + self._home.arguments,
            **self._home.environment,
        }

    def _settings(self) -> str:
        """Settings for the command line: any file would be checked against all that could be in it."""
        settings = {
            "loopback_users": "[]",
            "vm_memory_high_watermark": "{absolute,512000000}",
            "disk_free_limit": "50000000",
        }
        if self.member_of:
            # Joining by itself is cheaper than with three calls of the command line tool.
            settings["cluster_nodes"] = f"{{['{self.member_of.node}','{self.node}'],disc}}"
        return "".join(f" -rabbit {name} {term}" for name, term in settings.items())

    def _start(self) -> None:
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
            [self._home.programs / "rabbitmq-server"],
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
