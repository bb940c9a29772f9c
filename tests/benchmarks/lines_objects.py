"""Lines about object storage."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.content import LISTED, OBJECTS
from tests.benchmarks.line import Line
from tests.benchmarks.load import NUMBER, Request, hammer
from tests.benchmarks.peers import durable_writes, file_server, sql_rate, sql_value
from tests.benchmarks.site import Site

CLIENTS = 8
BLOCK = 4 << 20
KIB = 1024
T = TypeVar("T")
_PAGE = """SELECT n.name, v.* FROM pithos_node n JOIN pithos_version v ON v.node_id = n.id AND v.cluster = 0
    WHERE n.parent_id = {container} AND n.is_live AND n.name > '{marker}' ORDER BY n.name LIMIT {limit}"""


def small_objects(site: Site, seconds: float) -> Iterator[Line]:
    """PUT of new bytes and GET, 1 KiB each, beside synchronised files and a bare file server."""
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    container = _container(site, "small", headers)
    put = Request("PUT", f"{container}/o{NUMBER}", headers, random_bytes=KIB)
    outcome = hammer(site.port, put, clients=CLIENTS, seconds=seconds)
    disk = durable_writes(site.blocks, KIB, min(seconds, 3), clients=CLIENTS)
    yield Line(
        "PUT 1 KiB, 8 clients, one container",
        outcome.rate,
        "/s",
        "fdatasync of 1 KiB files, 8",
        disk,
        outcome.note,
    )
    content = os.urandom(KIB)
    _once(site, "PUT", f"{container}/one", headers, content)
    outcome = hammer(site.port, Request("GET", f"{container}/one", headers), clients=CLIENTS, seconds=seconds)
    with _served(site, content) as port:
        peer = hammer(port, Request("GET", "/"), clients=CLIENTS, seconds=min(seconds, 3)).rate
    yield Line("GET 1 KiB, 8 clients", outcome.rate, "/s", "bare sendfile server, 8", peer, outcome.note)


def large_objects(site: Site, seconds: float) -> Iterator[Line]:
    """PUT and GET of 64 MiB by one client, beside synchronised blocks and a bare file server."""
    size = 64 if seconds > 1 else 16
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    container = _container(site, "large", headers)
    content = os.urandom(size << 20)
    put, _ = _timed(lambda: _once(site, "PUT", f"{container}/o", headers, content))
    # An upload has two blocks under way at a time, so the ceiling has two writers.
    disk = durable_writes(site.blocks, BLOCK, min(seconds, 3), clients=2) * BLOCK / (1 << 20)
    yield Line(f"PUT {size} MiB", size / put, "MiB/s", "fdatasync of 4 MiB files, 2", disk)
    # The first read verifies every block against its hash, the second finds that noted.
    first, body = _timed(lambda: _once(site, "GET", f"{container}/o", headers))
    again, _ = _timed(lambda: _once(site, "GET", f"{container}/o", headers))
    if body != content:
        raise RuntimeError("what was read is not what was written")
    with _served(site, content) as port:
        peer, _ = _timed(lambda: _exchange(port, "GET", "/", {}, b"", 200))
    for name, spent in (("first", first), ("repeated", again)):
        yield Line(f"GET {size} MiB, {name}", size / spent, "MiB/s", "bare sendfile server", size / peer)


def hashmap_upload(site: Site, seconds: float) -> Iterator[Line]:
    """An unchanged file sent again by its hashes, client's hashing included, beside sending all of it."""
    size = 256 if seconds > 1 else 32
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    container = _container(site, "hashmap", headers)
    content = os.urandom(size << 20)
    plain, _ = _timed(lambda: _once(site, "PUT", f"{container}/o", headers, content))

    def send_hashes() -> int:
        body = json.dumps(_hashmap(content)).encode()
        _once(site, "PUT", f"{container}/o?hashmap&format=json", headers, body)
        return len(body)

    spent, sent = _timed(send_hashes)
    if _once(site, "GET", f"{container}/o", headers) != content:
        raise RuntimeError("the object differs after its upload by hashmap")
    note = f"{sent:,} bytes sent instead of {len(content):,}; {spent:.2f} s instead of {plain:.2f} s"
    yield Line(f"PUT {size} MiB again by hashmap", size / spent, "MiB/s", "plain PUT", size / plain, note)


def _hashmap(content: bytes) -> dict[str, object]:
    view = memoryview(content)
    blocks = (bytes(view[start : start + BLOCK]).rstrip(b"\0") for start in range(0, len(view), BLOCK))
    hashes = [hashlib.sha256(block).hexdigest() for block in blocks]
    return {"block_hash": "sha256", "block_size": BLOCK, "bytes": len(content), "hashes": hashes}


def listings(site: Site, seconds: float) -> Iterator[Line]:
    """A container of 10,000 whole, and pages of 1,000 at three places, beside raw SQL of the same rows."""
    path = f"/pithos/object-store/v1/{site.credentials['uuid']}/{LISTED}"
    headers = {"X-Auth-Token": site.credentials["token"]}
    url = site.database.url()
    container = sql_value(url, f"SELECT id FROM pithos_node WHERE name = '{LISTED}'")
    places = [("all 10,000", OBJECTS, "")]
    places += [(f"1,000 at the {name}", 1000, f"o{after:06d}") for name, after in
               (("start", 0), ("middle", OBJECTS // 2), ("end", OBJECTS - 1001))]  # fmt: skip
    for name, limit, marker in places:
        statement = _PAGE.format(container=container, marker=marker, limit=limit)
        peer = sql_rate(url, statement, min(seconds, 2))
        for kind in ("json", "text"):
            target = f"{path}?format={kind}&limit={limit}&marker={marker}"
            found = _once(site, "GET", target, headers)
            count = len(json.loads(found)) if kind == "json" else len(found.splitlines())
            if count != limit:
                raise RuntimeError(f"{target}: {count} objects")
            outcome = hammer(site.port, Request("GET", target, headers), clients=1, seconds=min(seconds, 3))
            yield Line(f"listing, {kind}, {name}", outcome.rate, "/s", "raw SQL", peer, outcome.note)


def _container(site: Site, name: str, headers: dict[str, str]) -> str:
    path = f"/pithos/object-store/v1/{site.credentials['uuid']}/{name}"
    _once(site, "PUT", path, headers)
    return path


def _served(site: Site, content: bytes) -> AbstractContextManager[int]:
    path: Path = site.directory / "served"
    path.write_bytes(content)
    return file_server(path)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _once(site: Site, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    return _exchange(site.port, method, path, headers, body, 399)


def _exchange(port: int, method: str, path: str, headers: dict[str, str], body: bytes, most: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status > most:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
    return content
