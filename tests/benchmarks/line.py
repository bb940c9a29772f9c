"""One row of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.benchmarks.site import Site


@dataclass(frozen=True)
class Line:
    """One measurement; ``peer`` is what stands beside it and ``ratio`` ours over the peer's.

    Both figures have the same unit.
    """

    name: str
    ours: float
    unit: str
    peer_name: str = ""
    peer: float = 0.0
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Return ours divided by the peer's, if there is one."""
        return round(self.ours / self.peer, 3) if self.peer else None


Bench = Callable[[Site, float], Iterator[Line]]
