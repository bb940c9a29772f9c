"""What every opcode works with: its parameters, the cluster, its job's log, and pretended time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gtools.simulator.cluster import Cluster
from gtools.simulator.faults import FaultPlan
from gtools.simulator.image_provider import ImageProvider
from gtools.simulator.jobqueue import JobHandle


class DryRun(Exception):
    """The opcode's checks passed and it was asked not to go on."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class Operation:
    """One run of one opcode."""

    def __init__(
        self, *, cluster: Cluster, handle: JobHandle, provider: ImageProvider, faults: FaultPlan
    ) -> None:
        self.cluster = cluster
        self.provider = provider
        self._handle = handle
        self._faults = faults
        self.parameters: dict[str, Any] = handle.job.input

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def begin(self) -> None:
        """Go to status running; from here on the opcode may log."""
        self._handle.running()
        opcode = str(self["OP_ID"])
        self._handle.sleep(self._faults.delay_of_job(opcode))
        self._faults.check_job(opcode)

    def fill(self, **parameters: Any) -> None:
        """Store parameters that the opcode computed."""
        self._handle.fill(**parameters)

    def log(self, text: str) -> None:
        """Tell what is going on."""
        self._handle.log(text)

    def info(self, text: str) -> None:
        """Tell something harmless."""
        self.log(f" - INFO: {text}")

    def warn(self, text: str) -> None:
        """Tell something doubtful."""
        self.log(f" - WARNING: {text}")

    def work(self, seconds: float) -> None:
        """Take some time, as scaled by the options."""
        self._handle.sleep(seconds * self.cluster.options.time_scale)

    def end_of_checks(self, dry_run_result: Any = None) -> None:
        """Stop here when it is a dry run."""
        if self["dry_run"]:
            self.info("dry-run mode requested, not actually executing the operation")
            raise DryRun(dry_run_result)


Implementation = Callable[[Operation], Any]
