"""Object storage beside OpenStack Swift: the same requests to both, one after the other, on the same disk."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.benchmarks.line import Line
from tests.benchmarks.load import NUMBER, Request, hammer
from tests.benchmarks.processor import Meter
from tests.benchmarks.site import Site
from tests.lab.swift import Swift

KIB, MIB = 1 << 10, 1 << 20
BLOCK = 4 * MIB
LISTED = 100_000
DELETED = 10_000


@dataclass(frozen=True)
class Side:
    """One of the two: where it answers, its account's path, its token, its processes."""

    port: int
    path: str
    token: str
    processes: tuple[int, ...]

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {"X-Auth-Token": self.token, "Content-Type": "application/octet-stream"}

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[float, bytes]:
        """Send one request; return seconds and the answer's body; raise for a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        started = time.perf_counter()
        connection.request(method, self.path + path, body, self.headers | named)
        answer = connection.getresponse()
        content = answer.read()
        spent = time.perf_counter() - started
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return spent, content


def _beside(name: str, ours: Side, theirs: Side, request: Callable[[Side], Request], **load: Any) -> Line:
    """Send the same to both, one after the other; the note has the processor time of each."""
    outcomes, each = [], []
    for side in (ours, theirs):
        meter = Meter(side.processes)
        outcomes.append(hammer(side.port, request(side), **load))
        each.append(meter.spent() / max(1, outcomes[-1].turns))
    note = f"processor: {each[0]:.2f} ms each, Swift's {each[1]:.2f}, {each[1] / max(each[0], 0.001):.2f} ×"
    return Line(name, outcomes[0].rate, "/s", "Swift", outcomes[1].rate, note)


def swift(site: Site, seconds: float) -> Iterator[Line]:
    """PUT and GET of three sizes, listings, deleting many, sending an unchanged file again."""
    path, token = f"/pithos/object-store/v1/{site.credentials['uuid']}", site.credentials["token"]
    ours = Side(site.port, path, token, tuple(site.process_ids))
    quick = seconds <= 1
    with Swift(workers=2) as peer:
        theirs = Side(peer.port, peer.storage_path, peer.token, tuple(peer.process_ids))
        for side in (ours, theirs):
            side.send("PUT", "/peer")
        for size, clients in ((KIB, 1), (KIB, 8), (MIB, 1), (MIB, 8), (64 * MIB, 1), (64 * MIB, 8)):
            if quick and size > MIB:
                continue
            yield from _transfers(ours, theirs, size, clients, seconds)
        yield from _listings(site, ours, theirs, peer, 2_000 if quick else LISTED, seconds)
        yield _deleting(ours, theirs, 200 if quick else DELETED)
        yield _again(ours, theirs, (32 if quick else 1024) * MIB)


def _name(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def _transfers(ours: Side, theirs: Side, size: int, clients: int, seconds: float) -> Iterator[Line]:
    def put(side: Side) -> Request:
        return Request("PUT", f"{side.path}/peer/{size}-{NUMBER}", side.headers, random_bytes=size)

    def get(side: Side) -> Request:
        return Request("GET", f"{side.path}/peer/read-{size}", side.headers)

    for side in (ours, theirs):
        side.send("PUT", f"/peer/read-{size}", os.urandom(size))
    suffix = f"{_name(size)}, {clients} client{'s' if clients > 1 else ''}"
    yield _beside(f"PUT {suffix}", ours, theirs, put, clients=clients, seconds=seconds)
    yield _beside(f"GET {suffix}", ours, theirs, get, clients=clients, seconds=seconds)


def _listings(
    site: Site, ours: Side, theirs: Side, peer: Swift, count: int, seconds: float
) -> Iterator[Line]:
    for side in (ours, theirs):
        side.send("PUT", "/many")
    site.run("tests.benchmarks.content", "fill", site.credentials["uuid"], "many", str(count))
    peer.fill("many", count)
    for name, limit, marker in (
        ("whole page", 10_000, ""),
        ("1,000 in the middle", 1000, f"o{count // 2:06d}"),
    ):
        query = f"/many?format=json&limit={limit}&marker={marker}"

        def page(side: Side, query: str = query) -> Request:
            return Request("GET", side.path + query, side.headers)

        title = f"listing of {count:,}, {name}"
        yield _beside(title, ours, theirs, page, clients=1, seconds=seconds)


def _deleting(ours: Side, theirs: Side, count: int) -> Line:
    """Both delete by lists of names, which Swift takes 10,000 at a time; ours through its Swift dialect."""
    names = [f"d{number:05d}" for number in range(count)]
    swift_side = replace(ours, path=ours.path.replace("/v1/", "/v1/AUTH_"))
    rates = []
    for side in (swift_side, theirs):
        side.send("PUT", "/gone")
        _make(side, names)
        body = "\n".join(f"/gone/{name}" for name in names).encode()
        spent, report = side.send(
            "POST", "?bulk-delete", body, Content_Type="text/plain", Accept="application/json"
        )
        if json.loads(report)["Number Deleted"] != count:
            raise RuntimeError(report[:300])
        rates.append(count / spent)
    return Line(f"deleting {count:,} objects", rates[0], "/s", "Swift", rates[1])


def _make(side: Side, names: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
    for name in names:
        connection.request("PUT", f"{side.path}/gone/{name}", b"x", side.headers)
        connection.getresponse().read()
    connection.close()


def _again(ours: Side, theirs: Side, size: int) -> Line:
    """Swift has no hashes of blocks to compare, so its client sends everything again."""
    content = os.urandom(64 * MIB) * max(1, size // (64 * MIB))
    for side in (ours, theirs):
        side.send("PUT", "/peer/again", content)

    def by_hashmap() -> float:
        started = time.perf_counter()
        view = memoryview(content)
        hashes = [
            hashlib.sha256(view[start : start + BLOCK]).hexdigest() for start in range(0, len(content), BLOCK)
        ]
        document = {"block_hash": "sha256", "block_size": BLOCK, "bytes": len(content), "hashes": hashes}
        ours.send("PUT", "/peer/again?hashmap&format=json", json.dumps(document).encode())
        return time.perf_counter() - started

    mib = len(content) / MIB
    spent: Callable[[], float] = by_hashmap
    return Line(
        f"sending {_name(len(content))} again", mib / spent(), "MiB/s", "Swift",
        mib / theirs.send("PUT", "/peer/again", content)[0],
    )  # fmt: skip
