"""A private machine inside this one: network, mount, UTS and process namespaces.

An init process holds the namespaces. When it ends, for whatever reason, the kernel ends every process
inside and removes the network, so nothing that ran there can be left over.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.instance import (
    Instance,
    LabError,
    Unavailable,
    file_lock,
    registry_directory,
    wait_until,
)

_INIT = Path(__file__).with_name("namespace_init.py")
_KINDS = ("--net", "--mount", "--uts", "--ipc", "--pid")
_UNSHARE = ["unshare", *_KINDS, "--fork", "--kill-child=SIGKILL", "--mount-proc", "--propagation", "private"]
_NEEDED = ("unshare", "nsenter", "ip", "socat")


def free_subnet() -> ipaddress.IPv4Network:
    """A 10.x.y.0/24 that no interface or route of this machine touches."""
    command = ["ip", "-j", "-4", "route", "show", "table", "all"]
    listing = subprocess.run(command, check=True, capture_output=True)
    taken = []
    for route in json.loads(listing.stdout or b"[]"):
        with contextlib.suppress(ValueError):
            taken.append(ipaddress.ip_network(route["dst"]))
    for _ in range(1000):
        candidate = ipaddress.IPv4Network(f"10.{random.randint(64, 191)}.{random.randint(0, 255)}.0/24")
        if not any(candidate.overlaps(network) for network in taken if network.prefixlen > 0):
            return candidate
    raise LabError("no free 10.x.y.0/24 on this machine")


class Namespaces(Instance):
    """One private node with an address of its own; the host's end of the wire is address .1.

    ``mounts`` of the subclass decide which paths are private; see :meth:`bind`.
    """

    component = "namespaces"

    def __init__(self, *, hostname: str) -> None:
        super().__init__()
        if os.geteuid() != 0:
            raise Unavailable("namespaces need root")
        missing = [program for program in _NEEDED if shutil.which(program) is None]
        if missing:
            raise Unavailable(f"not installed: {', '.join(missing)}")
        self.hostname = hostname
        self.subnet = ipaddress.IPv4Network("0.0.0.0/32")
        self._keeper: subprocess.Popen[bytes] | None = None
        self._init_pid = 0
        self._exposed: set[int] = set()

    # -- addresses -------------------------------------------------------------------------------

    @property
    def host_address(self) -> str:
        """The host, seen from inside."""
        return str(self.subnet[1])

    @property
    def address(self) -> str:
        """The node, seen from the host."""
        return str(self.subnet[2])

    @property
    def init_pid(self) -> int:
        """The process that holds the namespaces, as the host numbers it; 0 before the start."""
        return self._init_pid

    # -- life cycle ------------------------------------------------------------------------------

    def _start(self) -> None:
        self._hold_namespaces()
        self._connect()
        self.run(["hostname", self.hostname])

    def _hold_namespaces(self) -> None:
        self._keeper = self.spawn_process(
            [*_UNSHARE, "--", sys.executable, "-I", "-S", _INIT],
            log="namespaces.log",
        )
        keeper = self._keeper
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
        marker = self.directory / "namespaces.log"
        self.wait_for(lambda: "ready" in marker.read_text(), child=keeper, log="namespaces.log", timeout=120)
        self._init_pid = int(children.read_text().split()[0])

    def _connect(self) -> None:
        token = secrets.token_hex(4)
        outer, inner = f"sl{token}h", f"sl{token}n"
        with file_lock(registry_directory() / "network.lock"):
            self.subnet = free_subnet()
            self._on_host("ip", "link", "add", outer, "type", "veth", "peer", "name", inner)
            self.own_link(outer)
            self._on_host("ip", "address", "add", f"{self.host_address}/24", "dev", outer)
            self._on_host("ip", "link", "set", outer, "up")
        self._on_host("ip", "link", "set", inner, "netns", str(self._init_pid))
        # /sys/class/net shows the network of whoever mounted it. Without an address of its own a bridge takes
        # that of a port, and so changes it whenever a guest's device comes or goes.
        mac = ":".join(["02", *textwrap.wrap(token, 2), "01"])
        script = f"""
            mount -t sysfs sysfs /sys
            ip link set lo up
            ip link add br0 address {mac} type bridge forward_delay 0
            ip link set {inner} master br0 up
            ip link set br0 up
            ip address add {self.address}/24 dev br0
            ip route add default via {self.host_address}
        """
        self.run(["sh", "-ec", script])

    def _on_host(self, *command: str) -> None:
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode != 0:
            raise LabError(f"{' '.join(command)}: {result.stderr}")

    def _stop(self) -> None:
        if self._keeper is not None and self._keeper.poll() is None:
            # unshare ignores SIGTERM; its end is the end of everything inside.
            self.end_process(self._keeper, signal_number=signal.SIGKILL)

    # -- inside ----------------------------------------------------------------------------------

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs ``command`` inside, with the caller's environment and uid."""
        if not self._init_pid:
            raise LabError(f"{self.name} does not run")
        enter = ["nsenter", "--target", str(self._init_pid), *_KINDS, "--"]
        return enter + [str(word) for word in command]

    def run(
        self,
        command: Sequence[str | Path],
        *,
        check: bool = True,
        input: str | None = None,
        timeout: float = 300,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait; LabError with its output when ``check`` and it fails."""
        result = subprocess.run(
            self.inside(command),
            check=False,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(environment or {})},
        )
        if check and result.returncode != 0:
            words = " ".join(str(word) for word in command)
            raise LabError(f"{words}: status {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        log: str,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a daemon inside; ends with the namespaces, or through :meth:`Instance.end_process`.

        The returned process is ``nsenter``; the daemon is its child and dies with it.
        """
        wrapped = ["setpriv", "--pdeathsig", "TERM", *[str(word) for word in command]]
        return self.spawn_process(
            self.inside(wrapped),
            log=log,
            environment={**os.environ, **(environment or {})},
            working_directory=working_directory,
        )

    def bind(self, target: str, *, copy: bool = False) -> Path:
        """Put a private directory over ``target``; returns its path on the host.

        ``copy`` fills it with what the machine has there (symlinks kept).
        """
        source = self.directory / target.strip("/").replace("/", "-")
        if copy:
            shutil.copytree(target, source, symlinks=True)
        else:
            source.mkdir(exist_ok=True)
        self.run(["mount", "--bind", source, target])
        return source

    def bind_file(self, target: str, text: str) -> Path:
        """Put a private file over ``target``."""
        source = self.directory / target.strip("/").replace("/", "-")
        source.write_text(text)
        self.run(["mount", "--bind", source, target])
        return source

    def expose(self, port: int) -> None:
        """Make the host's 127.0.0.1:port answer at 127.0.0.1:port inside as well.

        Servers of the host stay on the loopback address; URLs read the same on both sides.
        """
        if port in self._exposed:
            return
        self._exposed.add(port)
        path = self.directory / f"p{port}.sock"
        log = f"expose-{port}.log"
        listen = f"UNIX-LISTEN:{path},fork,backlog=128"
        outer = self.spawn_process(["socat", listen, f"TCP:127.0.0.1:{port}"], log=log)
        self.wait_for(path.exists, child=outer, log=log, timeout=120)
        listen = f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=128"
        self.spawn(["socat", listen, f"UNIX-CONNECT:{path}"], log=log)
        listening = f":{port:04X} "
        table = Path(f"/proc/{self._init_pid}/net/tcp")
        wait_until(lambda: listening in table.read_text(), timeout=120, what=f"port {port} inside")
