"""Processor time of a side's processes, which a busy machine falsifies less than time on the clock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(path.parent.name))
    return found


def _milliseconds(pid: int) -> float:
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total / 1e6


class Meter:
    """Counts the processor time that these processes and all their descendants take from now on."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = list(roots)
        self._before = self._now()

    def spent(self) -> float:
        """Return milliseconds since the beginning; what a process took that has ended is lost."""
        return sum(value - self._before.get(pid, 0.0) for pid, value in self._now().items())

    def _now(self) -> dict[int, float]:
        children, found, waiting = _children(), {}, list(self._roots)
        while waiting:
            pid = waiting.pop()
            found[pid] = _milliseconds(pid)
            waiting += children.get(pid, [])
        return found
