"""A light HTTP load generator: threads with kept-alive connections in a process of their own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

#: Become a running number, unique in a run, and that number modulo 200.
NUMBER, SPREAD = "@NUMBER@", "@SPREAD@"
#: Seconds before the measurement (at most as long as it), in which the server's threads get their database
#: connections.
WARM_UP = 2.0
#: Becomes the value of ``serial`` in the first answer, in what follows it.
SERIAL = "@SERIAL@"


@dataclass(frozen=True)
class Request:
    """What is sent over and over; NUMBER and SPREAD are replaced in path and body.

    ``random_bytes``: the body is so many bytes of noise, different each time, so that nothing is stored
    already. ``then``: a second request of the same turn; a turn counts and is timed as a whole.
    """

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    random_bytes: int = 0
    then: dict[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """Turns of ``seconds`` by the status of their last answer, and how long the successful ones took.

    ``turns`` counts those outside that time too.
    """

    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p95_ms: float
    turns: int = 0

    @property
    def succeeded(self) -> int:
        """Return how many turns ended with a status below 400."""
        return sum(count for status, count in self.statuses.items() if int(status) < 400)

    @property
    def rate(self) -> float:
        """Return successful turns a second; refusals are fast and would flatter."""
        return self.succeeded / self.seconds

    @property
    def note(self) -> str:
        """Return the times, and the failures if there were any."""
        failed = {status: count for status, count in self.statuses.items() if int(status) >= 400}
        failures = "".join(f", FAILED {status}×{count}" for status, count in sorted(failed.items()))
        return f"p50 {self.p50_ms:.1f} p95 {self.p95_ms:.1f} ms, n={self.succeeded}{failures}"


def hammer(port: int, request: Request, *, clients: int, seconds: float) -> Outcome:
    """Send *request* from *clients* connections for *seconds*, from another process."""
    job = json.dumps([port, asdict(request), clients, seconds])
    result = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"], input=job, capture_output=True, text=True, check=True
    )
    return Outcome(**json.loads(result.stdout))


#: Noise is made once; new marks in every part make each copy of it unlike all others.
_PART = 64 << 10
_noises: dict[int, bytes] = {}


def _noise(size: int) -> bytes:
    if size <= _PART:
        return os.urandom(size)
    fresh = bytearray(_noises.setdefault(size, os.urandom(size)))
    for start in range(0, size - 16, _PART):
        fresh[start : start + 16] = os.urandom(16)
    return bytes(fresh)


def _send(
    connection: http.client.HTTPConnection, request: Request, number: int, serial: str
) -> tuple[int, Any]:
    replaced = {NUMBER: str(number), SPREAD: str(number % 200), SERIAL: serial}
    path, text = request.path, request.body
    for mark, value in replaced.items():
        path, text = path.replace(mark, value), text.replace(mark, value)
    body = _noise(request.random_bytes) if request.random_bytes else text.encode() or None
    connection.request(request.method, path, body, request.headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _client(
    port: int,
    request: Request,
    number: int,
    span: tuple[float, float],
    times: list[float],
    seen: Counter[str],
    turns: Counter[int],
) -> None:
    begin, until = span
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    second = Request(**request.then) if request.then is not None else None
    # The high part makes names of this run new in a site that an earlier run has used.
    turn = (time.time_ns() // 1_000_000) * 1_000_000 + number * 100_000
    while time.perf_counter() < until:
        turn += 1
        started = time.perf_counter()
        status, content = _send(connection, request, turn, "")
        if second is not None and status < 400:
            status, content = _send(connection, second, turn, str(json.loads(content)["serial"]))
        ended = time.perf_counter()
        turns[number] += 1
        if begin <= ended <= until or (ended > until and not seen):
            if status < 400:
                times.append(ended - started)
            seen[str(status)] += 1


def main() -> None:
    """Do the job on standard input and print its outcome."""
    port, fields, clients, seconds = json.loads(sys.stdin.read())
    request = Request(**fields)
    times: list[float] = []
    seen: Counter[str] = Counter()
    turns: Counter[int] = Counter()
    begin = time.perf_counter() + min(WARM_UP, seconds)
    threads = [
        threading.Thread(
            target=_client, args=(port, request, number, (begin, begin + seconds), times, seen, turns)
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Only answers inside the span count, unless not one came in it.
    elapsed = seconds if len(times) > 1 else time.perf_counter() - begin
    times.sort()
    p50, p95 = ((times[int(len(times) * part)] * 1000 if times else 0.0) for part in (0.5, 0.95))
    outcome = Outcome(elapsed, dict(seen), p50, p95, turns.total())
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
