"""RRD files as collectd lays them out, with values a test chooses."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.packages import why_missing

STEP = 60


def needs_rrdtool() -> None:
    """Skip the test where the program is missing."""
    if shutil.which("rrdtool") is None:
        pytest.skip(why_missing("rrdtool is not installed"))


@dataclass(frozen=True)
class Instance:
    """The directory of one instance."""

    folder: Path

    def cpu(self, percent: float, *, age: int = 0) -> Path:
        """Write the file of processor use: two hours of *percent*, the last *age* seconds ago."""
        return self._write(self.folder / "cpu/virt_cpu_total.rrd", {"value": percent}, age)

    def interface(self, index: int, *, received: float, sent: float, age: int = 0) -> Path:
        """Write an interface's file; *received* and *sent* in Mbit/s."""
        rates = {"rx": received * 125_000, "tx": sent * 125_000}
        return self._write(self.folder / f"interface/if_octets-eth{index}.rrd", rates, age)

    def empty_cpu(self) -> None:
        """Make a file of processor use that nobody reads."""
        path = self.folder / "cpu/virt_cpu_total.rrd"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def _write(self, path: Path, rates: dict[str, float], age: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        end = int(time.time()) // STEP * STEP - age
        times = range(end - 7200, end + 1, STEP)
        sources = [f"DS:{name}:DERIVE:{2 * STEP}:0:U" for name in rates]
        archive = f"RRA:AVERAGE:0.1:1:{24 * 60}"
        rrdtool("create", str(path), f"--step={STEP}", f"--start={times[0] - STEP}", *sources, archive)
        rows = (":".join(str(round(rate * (t - times[0]))) for rate in rates.values()) for t in times)
        rrdtool("update", str(path), *(f"{t}:{row}" for t, row in zip(times, rows, strict=True)))
        return path


def rrdtool(*arguments: str) -> None:
    """Run the program; without it the test is skipped."""
    needs_rrdtool()
    subprocess.run(["rrdtool", *arguments], check=True, capture_output=True)
