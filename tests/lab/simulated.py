"""The simulated Ganeti cluster, in place of a real one where only its remote API and its job queue count."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.ganeti import RapiCaller
from tests.lab.instance import free_ports, port_answers

PROJECT = Path(__file__).resolve().parents[2]


class SimulatedCluster(RapiCaller):
    """One simulator process; it keeps its state when it is killed and started again."""

    component = "simulator"
    user = "synnefo"

    def __init__(self, *, speed: float = 10.0) -> None:
        super().__init__()
        self.cluster_name = f"cluster-{secrets.token_hex(3)}.sim.test"
        self.password = secrets.token_urlsafe(12)
        self.port = free_ports(1)[0]
        self.speed = speed
        self._server: subprocess.Popen[bytes] | None = None
        self._progress: tuple[str, ...] = ()
        self._environment: Mapping[str, str] | None = None

    @property
    def host(self) -> str:
        """Address of the remote API."""
        return "127.0.0.1"

    @property
    def names(self) -> dict[str, str]:
        """The name that Cyclades knows the cluster by."""
        return {self.cluster_name: self.host}

    @property
    def event_daemon_arguments(self) -> list[str]:
        """Where eventd finds the job queue."""
        return [
            *("--queue-dir", str(self.directory / "queue"), "--ssconf-dir", str(self.directory / "ssconf")),
            *("--luxi-socket", str(self.directory / "luxi"), "--spool-dir", str(self.directory / "spool")),
            *("--pid-file", str(self.directory / "eventd.pid")),
        ]

    def around_event_daemon(self, command: Sequence[str | Path]) -> list[str]:
        """eventd runs where the simulator runs: here."""
        return [str(word) for word in command]

    def expose(self, port: int) -> None:
        """Nothing to do: everything is on one host."""

    def report_progress(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """The program that gets the image provider's messages; takes effect with the next start."""
        self._progress = tuple(command)
        self._environment = dict(environment)

    # -- life cycle --------------------------------------------------------------------------------

    def _start(self) -> None:
        for name in ("queue", "ssconf", "spool"):
            (self.directory / name).mkdir()
        (self.directory / "password").write_text(self.password + "\n")
        self._launch()

    def _launch(self) -> None:
        folder = self.directory
        command = [
            *(sys.executable, "-m", "gtools.simulator", "--port", str(self.port)),
            *("--cluster-name", self.cluster_name, "--user", self.user, "--speed", str(self.speed)),
            *("--password-file", folder / "password", "--state", folder / "state.json"),
            *("--queue-dir", folder / "queue", "--ssconf-dir", folder / "ssconf"),
            *("--luxi-socket", folder / "luxi", "--hypervisors", "fake,kvm"),
        ]
        self._server = self.spawn_process(command, log="simulator.log", working_directory=PROJECT)
        self.wait_for(lambda: port_answers(self.port), child=self._server, log="simulator.log", timeout=240)

    def kill_master(self) -> None:
        """SIGKILL: jobs that run are interrupted, as on a master that loses power."""
        assert self._server is not None
        self.end_process(self._server, signal_number=signal.SIGKILL)

    def start_master(self) -> None:
        """Start it again with what it had."""
        self._launch()
