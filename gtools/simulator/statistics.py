"""Statistics of simulated instances, in RRD files named as collectd names those of real ones.

The values are made up: waves of their own for each instance while it runs. Where the program ``rrdtool`` is
missing there are none.
"""

from __future__ import annotations

import logging
import math
import re
import shutil
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gtools.simulator.cluster import Cluster

#: Seconds between two values.
STEP = 10
#: Values in a mean, and how many means are kept: hours, a day, a week.
_ARCHIVES = ((1, 1200), (7, 1250), (50, 1250))
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_TIME_LIMIT = 30

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wave:
    """A rate that goes up and down around *mean* by *height*, which is less, in *period* seconds."""

    mean: float
    height: float
    period: float

    def total(self, now: float, shift: float) -> int:
        """Return what the rate has added up to, which never gets less; *shift* is in radians."""
        speed = 2 * math.pi / self.period
        return round(self.mean * now - self.height / speed * math.cos(speed * now + shift))


_CPU = Wave(mean=45, height=40, period=1700)  # percent
_RECEIVED = Wave(mean=400_000, height=380_000, period=1300)  # bytes a second
_SENT = Wave(mean=150_000, height=140_000, period=700)


class Statistics:
    """Writes the statistics of all running instances of a cluster; has a thread of its own."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._cluster = cluster
        self._directory = directory
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="Statistics", daemon=True)
        self._program = shutil.which("rrdtool")

    def start(self) -> None:
        """Begin, where there is something to write with."""
        if self._program is None:
            log.info("rrdtool is not installed: there are no statistics of instances")
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being written."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_TIME_LIMIT)

    def _run(self) -> None:
        while not self._stopped.wait(STEP - time.time() % STEP):
            try:
                self.write(int(time.time()))
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("statistics: %s", error)

    def write(self, now: int) -> None:
        """Add the values of the Unix time *now*, all in one call of the program."""
        commands = "".join(f"{line}\n" for line in self._commands(now))
        if commands and self._program is not None:
            result = subprocess.run(
                [self._program, "-"],
                cwd=self._directory,
                input=commands,
                capture_output=True,
                text=True,
                timeout=_TIME_LIMIT,
                check=False,
            )
            for line in result.stdout.splitlines():
                if line.startswith("ERROR"):
                    log.warning("rrdtool: %s", line)

    def _commands(self, now: int) -> Iterator[str]:
        with self._cluster.lock:
            running = [
                (item.name, len(item.nics)) for item in self._cluster.instances.values() if item.running
            ]
        for name, nics in running:
            if not _NAME.fullmatch(name):
                continue
            shift = zlib.crc32(name.encode()) % 628 / 100
            yield from self._file(f"{name}/cpu/virt_cpu_total.rrd", ("value",), (_CPU,), now, shift)
            for index in range(nics):
                path = f"{name}/interface/if_octets-eth{index}.rrd"
                yield from self._file(path, ("rx", "tx"), (_RECEIVED, _SENT), now, shift + index)

    def _file(
        self, path: str, sources: tuple[str, ...], waves: tuple[Wave, ...], now: int, shift: float
    ) -> Iterator[str]:
        if not (self._directory / path).exists():
            (self._directory / path).parent.mkdir(parents=True, exist_ok=True)
            declared = " ".join(f"DS:{source}:DERIVE:{2 * STEP}:0:U" for source in sources)
            archives = " ".join(f"RRA:AVERAGE:0.1:{values}:{rows}" for values, rows in _ARCHIVES)
            yield f"create {path} --step {STEP} --start {now - 1} {declared} {archives}"
        yield f"update {path} {now}:" + ":".join(str(wave.total(now, shift)) for wave in waves)
