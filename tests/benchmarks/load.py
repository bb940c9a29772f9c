"""A light HTTP load generator: threads with kept-alive connections in a process of their own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What is sent over and over; ``%d`` in the path becomes a running number, unique for each client."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Outcome:
    """Answers in ``seconds``, by status, and the 95th percentile of the time one took in milliseconds."""

    seconds: float
    statuses: dict[str, int]
    p95_ms: float

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return sum(self.statuses.values()) / self.seconds


def hammer(port: int, request: Request, *, clients: int, seconds: float) -> Outcome:
    """Send *request* from *clients* connections for *seconds*, from another process."""
    job = json.dumps([port, asdict(request), clients, seconds])
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"], input=job, capture_output=True, text=True, check=True
    )
    return Outcome(**json.loads(result.stdout))


def _client(
    port: int, request: Request, number: int, until: float, times: list[float], seen: Counter[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = request.body.encode() or None
    turn = number * 10_000_000
    while time.perf_counter() < until:
        turn += 1
        started = time.perf_counter()
        path = request.path % turn if "%d" in request.path else request.path
        connection.request(request.method, path, body, request.headers)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - started)
        seen[str(answer.status)] += 1


def main() -> None:
    """Do the job on standard input and print its outcome."""
    port, fields, clients, seconds = json.loads(sys.stdin.read())
    request = Request(**fields)
    times: list[float] = []
    seen: Counter[str] = Counter()
    started = time.perf_counter()
    arguments: Any = (port, request)
    threads = [
        threading.Thread(target=_client, args=(*arguments, number, started + seconds, times, seen))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    p95 = sorted(times)[int(len(times) * 0.95)] * 1000 if times else 0.0
    print(json.dumps({"seconds": elapsed, "statuses": dict(seen), "p95_ms": p95}))


if __name__ == "__main__":
    main()
