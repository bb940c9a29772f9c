"""One running component: its directory, its processes, and what to clean when its owner died.

The registry is a directory below the user's temporary directory. Each instance has a folder there with
the file ``instance.json`` (owner, processes, network links). Processes are identified by pid *and* start
time, so that a number which the kernel has given to somebody else is never signalled.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PR_SET_PDEATHSIG = 1
#: Between the consoles' ports of clusters and those of console proxies.
_FIRST_PORT, _WORKERS, _PORTS_OF_WORKER = 15_000, 8, 600
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(RuntimeError):
    """A component could not be started; the message holds the end of its log."""


class Unavailable(LabError):
    """This machine lacks something the component needs; the message says what."""


def registry_directory() -> Path:
    """The directory with one folder per running instance of this user."""
    path = Path(tempfile.gettempdir()) / f"synnefo-lab-{os.getuid()}"
    path.mkdir(mode=0o755, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise LabError(f"{path} belongs to somebody else")
    return path


def cache_directory() -> Path:
    """Where what is expensive to build (guest image, Python 2.7 environment) is kept between runs."""
    configured = os.environ.get("SYNNEFO_LAB_CACHE")
    if configured:
        path = Path(configured)
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "synnefo-lab"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``; several test runs may share one machine."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the very process noted as (pid, ticks) still runs."""
    return start_ticks(pid) == ticks


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` TCP ports that were free a moment ago, all different.

    Of those that the kernel gives to nobody by itself, as a connection that anybody opens before the caller
    listens would take one of the others; and each process of a shared test run has some for itself.
    """
    with contextlib.ExitStack() as stack:
        return [_bind_somewhere(stack.enter_context(socket.socket()), host) for _ in range(count)]


def _bind_somewhere(handle: socket.socket, host: str) -> int:
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % _WORKERS
    first = _FIRST_PORT + worker * _PORTS_OF_WORKER
    first_of_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if first + _PORTS_OF_WORKER <= first_of_kernel:
        for _ in range(200):
            with contextlib.suppress(OSError):
                handle.bind((host, first + secrets.randbelow(_PORTS_OF_WORKER)))
                return int(handle.getsockname()[1])
    handle.bind((host, 0))
    return int(handle.getsockname()[1])


def wait_until(ready: Callable[[], bool], *, timeout: float, what: str, interval: float = 0.1) -> None:
    """Poll ``ready`` until true; LabError after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {timeout:g} s")
        time.sleep(interval)


def port_answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts TCP connections at host:port."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def run_tool(
    command: Sequence[str | Path], *, directory: Path, environment: Mapping[str, str], user: str | None
) -> str:
    """Run a component's command line tool as ``user`` (when we are root); LabError when it fails."""
    options: dict[str, Any] = {}
    if user is not None and os.getuid() == 0:
        options = {"user": user, "group": user, "extra_groups": []}
    result = subprocess.run(
        [str(word) for word in command],
        cwd=directory,
        env=dict(environment),
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    if result.returncode != 0:
        raise LabError(f"{' '.join(str(word) for word in command)} failed: {result.stdout}")
    return str(result.stdout)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(pid: int, ticks: int, *, signal_number: int, grace: float) -> None:
    """Signal one noted process, wait ``grace`` seconds, then SIGKILL it."""
    with contextlib.suppress(ProcessLookupError):
        if not is_alive(pid, ticks):
            return
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal_number)
    deadline = time.monotonic() + grace
    while is_alive(pid, ticks):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 5
        time.sleep(0.02)


class Instance:
    """Base of all components: a registered directory and child processes that end with it."""

    component = "instance"

    def __init__(self) -> None:
        self.name = f"{self.component}-{secrets.token_hex(4)}"
        self.directory = registry_directory() / self.name
        self._children: list[tuple[subprocess.Popen[Any], int]] = []
        self.links: list[str] = []
        self._open = False

    @property
    def process_ids(self) -> list[int]:
        """Process ids of what was started, without what those have started."""
        return [child.pid for child, _ticks in self._children]

    # -- life cycle ------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the component and wait until it serves; a second call changes nothing."""
        if self._open:
            return self
        reap_stale()
        self.directory.mkdir(mode=0o755)
        self._open = True
        self._write_record()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process of this instance and remove its directory."""
        if not self._open:
            return
        self._open = False
        try:
            self._stop()
        finally:
            for child, ticks in reversed(self._children):
                _end(child.pid, ticks, signal_number=signal.SIGTERM, grace=10)
                child.wait()
            for link in self.links:
                _delete_link(link)
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        """What must happen before the processes get their SIGTERM."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- processes -------------------------------------------------------------------------------

    def spawn_process(
        self,
        command: Sequence[str | Path],
        *,
        log: str,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a child that dies with this process, noted in the registry.

        ``log`` is a file name in the instance's directory; ``user`` applies only when we are root.
        """
        options: dict[str, Any] = {}
        if user is not None and os.getuid() == 0:
            options = {"user": user, "group": user, "extra_groups": []}
        with (self.directory / log).open("ab") as output:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=working_directory or self.directory,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                **options,
            )
        self._children.append((child, start_ticks(child.pid) or 0))
        self._write_record()
        return child

    def end_process(
        self, child: subprocess.Popen[bytes], *, signal_number: int = signal.SIGTERM, grace: float = 20
    ) -> None:
        """Stop one child of :meth:`spawn_process`."""
        for known, ticks in self._children:
            if known is child:
                _end(child.pid, ticks, signal_number=signal_number, grace=grace)
        child.wait()
        self._children = [pair for pair in self._children if pair[0] is not child]
        self._write_record()

    def wait_for(
        self, ready: Callable[[], bool], *, child: subprocess.Popen[bytes], log: str, timeout: float = 60
    ) -> None:
        """Wait until ``ready()``; LabError with the end of the log if the child ends or time is over."""

        def ready_or_dead() -> bool:
            return child.poll() is not None or ready()

        try:
            wait_until(ready_or_dead, timeout=timeout, what=f"start of {self.name}")
        except LabError as error:
            raise LabError(f"{error}\n{self.log_tail(log)}") from None
        if child.poll() is not None:
            raise LabError(f"{self.name} ended with status {child.returncode}\n{self.log_tail(log)}")

    def log_tail(self, log: str, lines: int = 40) -> str:
        """The last lines of one of this instance's logs."""
        try:
            text = (self.directory / log).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def own_link(self, name: str) -> None:
        """Note a network link that goes away with this instance."""
        self.links.append(name)
        self._write_record()

    def _write_record(self) -> None:
        record = {
            "owner": [os.getpid(), start_ticks(os.getpid())],
            "processes": [[child.pid, ticks] for child, ticks in self._children],
            "links": self.links,
        }
        temporary = self.directory / "instance.json.new"
        temporary.write_text(json.dumps(record))
        temporary.rename(self.directory / "instance.json")


def _delete_link(name: str) -> None:
    if Path(f"/sys/class/net/{name}").exists():
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)


def _reap(directory: Path) -> bool:
    try:
        record = json.loads((directory / "instance.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        # Just being made by another run, or made and never written: young folders are left alone.
        if time.time() - directory.stat().st_mtime < 60:
            return False
        record = {"owner": [0, None], "processes": [], "links": []}
    if record["owner"][1] is not None and is_alive(*record["owner"]):
        return False
    for pid, ticks in record["processes"]:
        _end(pid, ticks, signal_number=signal.SIGKILL, grace=5)
    for link in record["links"]:
        _delete_link(link)
    shutil.rmtree(directory, ignore_errors=True)
    return True


def reap_stale() -> list[str]:
    """Clean what crashed runs of this user left behind; returns the names of the reaped instances."""
    registry = registry_directory()
    reaped = []
    with file_lock(registry / "lock"):
        for directory in sorted(registry.iterdir()):
            with contextlib.suppress(FileNotFoundError):
                if directory.is_dir() and _reap(directory):
                    reaped.append(directory.name)
    return reaped
