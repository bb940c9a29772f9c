"""Failures on demand: jobs that fail, requests that are refused, hang or lose their answer."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass
from typing import Any

from gtools.simulator.errors import OpError

_KINDS = frozenset({"job", "slow_job", "status", "hang", "drop_answer", "delay"})
_TYPES: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "count": int,
    "opcode": str,
    "text": str,
    "error": str,
    "error_code": str,
    "method": str,
    "path": str,
    "status": int,
    "seconds": (int, float),
}


@dataclass
class Fault:
    """One failure, for the next ``count`` matching occasions.

    ``kind``: ``job`` (jobs of ``opcode`` fail with ``text``), ``slow_job`` (they take ``seconds`` longer),
    ``status`` (requests are answered with
    ``status``), ``hang`` (no answer for ``seconds``, then the connection closes and nothing has happened),
    ``drop_answer`` (the request takes effect, the connection closes without an answer), ``delay`` (the answer
    comes ``seconds`` later). ``method`` (empty: any) and the regular expression ``path`` choose requests.
    """

    kind: str
    count: int = 1
    opcode: str = ""
    text: str = "failure on demand"
    error: str = "OpExecError"
    error_code: str = ""
    method: str = ""
    path: str = ""
    status: int = 500
    seconds: float = 60.0

    @classmethod
    def parse(cls, data: Any) -> Fault:
        """Return the fault that a JSON object describes; ValueError when it describes none."""
        if not isinstance(data, dict) or data.get("kind") not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(sorted(_KINDS))}")
        for name, value in data.items():
            if name not in _TYPES or not isinstance(value, _TYPES[name]) or isinstance(value, bool):
                raise ValueError(f"{name} is unknown or of the wrong type")
        re.compile(data.get("path", ""))
        return cls(**data)


class FaultPlan:
    """The faults still to come; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Plan none."""
        with self._lock:
            self._faults.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Return what is still planned."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def check_job(self, opcode: str) -> None:
        """Fail when a job of this opcode is to fail now."""
        fault = self._for_job("job", opcode)
        if fault is not None:
            raise OpError(fault.error, fault.text, fault.error_code or None)

    def delay_of_job(self, opcode: str) -> float:
        """Return how many seconds longer a job of this opcode is to take."""
        fault = self._for_job("slow_job", opcode)
        return 0.0 if fault is None else fault.seconds

    def _for_job(self, kind: str, opcode: str) -> Fault | None:
        return self._take(lambda item: item.kind == kind and item.opcode in ("", opcode))

    def for_request(self, method: str, path: str) -> Fault | None:
        """Return the fault of this request, if there is one."""
        return self._take(
            lambda item: (
                item.kind not in ("job", "slow_job")
                and item.method in ("", method)
                and re.search(item.path, path) is not None
            )
        )

    def _take(self, matches: Any) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if matches(fault):
                    fault.count -= 1
                    if fault.count <= 0:
                        self._faults.remove(fault)
                    return fault
        return None
