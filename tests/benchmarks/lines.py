"""The lines of the table: each measures ours beside a ceiling or a peer of the same run."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.benchmarks.load import Request, hammer
from tests.benchmarks.site import Site


@dataclass(frozen=True)
class Line:
    """One measurement; ``peer`` is what stands beside it and ``ratio`` ours over the peer's."""

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


def _statuses(statuses: dict[str, int]) -> str:
    return " ".join(f"{status}×{count}" for status, count in sorted(statuses.items()))


def _sql_rate(site: Site, statement: str, seconds: float) -> float:
    connection = psycopg2.connect(site.database.url())
    try:
        with connection.cursor() as cursor:
            started, count = time.perf_counter(), 0
            while time.perf_counter() - started < seconds:
                cursor.execute(statement)
                cursor.fetchall()
                count += 1
        return count / (time.perf_counter() - started)
    finally:
        connection.close()


def tokens(site: Site, seconds: float) -> Iterator[Line]:
    """Token authentication with 8 clients, beside one indexed SELECT over one connection."""
    body = json.dumps({"auth": {"token": {"id": site.credentials["token"]}}})
    headers = {"Content-Type": "application/json"}
    outcome = hammer(
        site.port, Request("POST", "/astakos/identity/v2.0/tokens", headers, body), clients=8, seconds=seconds
    )
    peer = _sql_rate(site, "SELECT * FROM astakos_user WHERE id = 1", min(seconds, 2))
    yield Line(
        "token authentication, 8 clients",
        outcome.rate,
        "/s",
        "indexed SELECT",
        peer,
        _statuses(outcome.statuses),
    )


def servers(site: Site, seconds: float) -> Iterator[Line]:
    """Lists of 1,000 servers, beside the same rows by raw SQL."""
    headers = {"X-Auth-Token": site.credentials["token"]}
    raw = _sql_rate(
        site,
        "SELECT row_to_json(s) FROM (SELECT s.*, p.mac, i.address FROM cyclades_server s"
        " JOIN cyclades_port p ON p.machine_id = s.id JOIN cyclades_ipaddress i ON i.nic_id = p.id"
        " ORDER BY s.id LIMIT 1000) s",
        min(seconds, 2),
    )
    for name, path in (
        ("brief", "servers"),
        ("detail", "servers/detail"),
        ("detail page of 100", "servers/detail?limit=100"),
    ):
        outcome = hammer(
            site.port, Request("GET", f"/cyclades/compute/v2.0/{path}", headers), clients=1, seconds=seconds
        )
        note = f"{_statuses(outcome.statuses)}, p95 {outcome.p95_ms:.0f} ms"
        yield Line(f"server list, {name}", outcome.rate, "/s", "raw SQL of 1,000 rows", raw, note)


def commissions(site: Site, seconds: float) -> Iterator[Line]:
    """Commissions issued and accepted at once over HTTP by 8 clients on one user's holding."""
    uuid = site.credentials["uuid"]
    provisions = [
        {"holder": f"user:{uuid}", "source": f"project:{uuid}", "resource": "cyclades.vm", "quantity": 1},
        {"holder": f"project:{uuid}", "source": None, "resource": "cyclades.vm", "quantity": 1},
    ]
    body = json.dumps({"name": "bench", "auto_accept": True, "provisions": provisions})
    headers = {"Content-Type": "application/json", "X-Auth-Token": site.credentials["component_token"]}
    outcome = hammer(
        site.port,
        Request("POST", "/astakos/account/v1.0/commissions", headers, body),
        clients=8,
        seconds=seconds,
    )
    update = "UPDATE astakos_holding SET usage_max = usage_max + 1 WHERE id = 1 RETURNING usage_max"
    peer = _sql_rate(site, update, min(seconds, 2))
    yield Line(
        "commission issue + accept, 8 clients, hot",
        outcome.rate,
        "/s",
        "one UPDATE",
        peer,
        _statuses(outcome.statuses),
    )


def small_objects(site: Site, seconds: float) -> Iterator[Line]:
    """PUT and GET of 1 KiB with 8 clients, beside durable writes and reads of files."""
    container = f"/pithos/object-store/v1/{site.credentials['uuid']}/small"
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    _once(site, "PUT", container, headers)
    put = hammer(
        site.port, Request("PUT", f"{container}/o%d", headers, "x" * 1024), clients=8, seconds=seconds
    )
    disk = _durable_writes(site.blocks, b"x" * 1024, min(seconds, 2))
    yield Line("PUT 1 KiB, 8 clients", put.rate, "/s", "durable file writes", disk, _statuses(put.statuses))
    _once(site, "PUT", f"{container}/one", headers, b"x" * 1024)
    get = hammer(site.port, Request("GET", f"{container}/one", headers), clients=8, seconds=seconds)
    yield Line("GET 1 KiB, 8 clients", get.rate, "/s", note=_statuses(get.statuses))


def large_objects(site: Site, seconds: float) -> Iterator[Line]:
    """PUT and GET of 64 MiB by one client, beside the disk; then the same content by hashmap."""
    size = 64
    container = f"/pithos/object-store/v1/{site.credentials['uuid']}/large"
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    _once(site, "PUT", container, headers)
    content = os.urandom(size << 20)
    with _timed() as put:
        _once(site, "PUT", f"{container}/o", headers, content)
    disk = _durable_writes(site.blocks, content[: 4 << 20], 2) * 4
    yield Line("PUT 64 MiB", size / put[0], "MiB/s", "durable 4 MiB file writes", disk)
    with _timed() as get:
        body = _once(site, "GET", f"{container}/o", headers)
    yield Line(
        "GET 64 MiB",
        size / get[0],
        "MiB/s",
        "durable 4 MiB file writes",
        disk,
        "same" if body == content else "DIFFERS",
    )
    hashmap = _once(site, "GET", f"{container}/o?hashmap&format=json", headers)
    with _timed() as again:
        _once(site, "PUT", f"{container}/copy?hashmap&format=json", headers, hashmap)
    yield Line(
        "PUT 64 MiB unchanged, by hashmap", size / again[0], "MiB/s", "plain PUT", size / put[0],
        f"{len(hashmap)} bytes sent",
    )  # fmt: skip


def listings(site: Site, seconds: float) -> Iterator[Line]:
    """Pages of the container that the small objects went to, as JSON and as text."""
    path = f"/pithos/object-store/v1/{site.credentials['uuid']}/small"
    headers = {"X-Auth-Token": site.credentials["token"]}
    for kind in ("json", "text"):
        outcome = hammer(
            site.port, Request("GET", f"{path}?format={kind}", headers), clients=1, seconds=seconds
        )
        count = len(_once(site, "GET", path, headers).splitlines())
        yield Line(
            f"{kind} listing",
            outcome.rate * count,
            "objects/s",
            note=f"{count} objects, p95 {outcome.p95_ms:.0f} ms",
        )


def dispatcher(site: Site, seconds: float) -> Iterator[Line]:
    """Messages a second of one dispatcher, with the database."""
    site.database.create_database("benchdispatcher")
    environment = site.environment | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SYNNEFO_TEST_DATABASE": site.database.url("benchdispatcher"),
    }  # fmt: skip
    import subprocess
    import sys

    command = [sys.executable, "-m", "tests.benchmarks.bench_dispatcher"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    for row in result.stdout.splitlines():
        name, _, figures = row.rpartition("  ")
        if figures.endswith("messages/s"):
            yield Line(name.strip(), float(figures.split()[0]), "messages/s")


def _once(site: Site, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
    return content


@contextmanager
def _timed() -> Iterator[list[float]]:
    result: list[float] = []
    started = time.perf_counter()
    yield result
    result.append(time.perf_counter() - started)


def _durable_writes(folder: Path, content: bytes, seconds: float) -> float:
    started, count = time.perf_counter(), 0
    path = folder / "ceiling"
    while time.perf_counter() - started < seconds:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fdatasync(file.fileno())
        count += 1
    path.unlink()
    return count / (time.perf_counter() - started)


BENCHES: dict[str, Bench] = {
    "tokens": tokens,
    "servers": servers,
    "commissions": commissions,
    "small-objects": small_objects,
    "large-objects": large_objects,
    "listings": listings,
    "dispatcher": dispatcher,
}
