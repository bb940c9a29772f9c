"""Starting the demo's processes, starting them again when they die, stopping all of them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """Ask Linux to end this child should the launcher be killed; elsewhere nothing happens."""
    try:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        return


@dataclass
class Process:
    """One supervised program with its own log file."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    child: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0

    def start(self) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches only the launcher."""
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                self.argv,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  (the launcher has one thread)
            )
        self.started = time.monotonic()

    @property
    def running(self) -> bool:
        """Tell whether the program runs."""
        return self.child is not None and self.child.poll() is None

    def tail(self, lines: int = 15) -> str:
        """Return the last *lines* of the log, for an error message."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class StartFailed(Exception):
    """A program did not come up; the text says which and shows its log."""


@dataclass
class Supervisor:
    """Keeps a set of processes running until it is stopped."""

    processes: list[Process] = field(default_factory=list)

    def start(self, process: Process, *, ready: Callable[[], bool], timeout: float = 180.0) -> None:
        """Start *process* and wait until *ready* says so; raises ``StartFailed``."""
        self.processes.append(process)
        process.start()
        deadline = time.monotonic() + timeout
        while not ready():
            if not process.running:
                raise StartFailed(f"{process.name} stopped at once:\n{process.tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{process.name} did not become ready in {timeout:.0f} s:\n{process.tail()}"
                )
            time.sleep(0.1)

    def check(self, say: Callable[[str], None]) -> None:
        """Start dead processes again, more slowly the more often one fails."""
        for process in self.processes:
            if process.running:
                if time.monotonic() - process.started > 60:
                    process.failures = 0
                continue
            if time.monotonic() - process.started < min(30, 2**process.failures):
                continue
            process.failures += 1
            say(f"{process.name} stopped; starting it again (its log: {process.log})")
            process.start()

    def stop(self) -> None:
        """End all processes, politely first, the last started first."""
        for process in reversed(self.processes):
            self._signal(process, signal.SIGTERM)
        deadline = time.monotonic() + 8
        for process in reversed(self.processes):
            if process.child is None:
                continue
            try:
                process.child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._signal(process, signal.SIGKILL)
                process.child.wait()
        self.processes.clear()

    @staticmethod
    def _signal(process: Process, number: signal.Signals) -> None:
        if process.child is None:
            return
        try:
            os.killpg(process.child.pid, number)
        except ProcessLookupError:
            return
