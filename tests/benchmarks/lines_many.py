"""Object storage in large: a million objects, folders of ten thousand, five gigabytes in one object."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.benchmarks.line import Line
from tests.benchmarks.load import Request, hammer
from tests.benchmarks.site import Site

MILLION, THOUSAND, FOLDER = 1_000_000, 1000, 10_000
MIB = 1 << 20
BLOCK = 4 * MIB
#: What the server may grow by while an object of five gigabytes passes through it, in MiB.
ALLOWED = 64.0
_NODES = """INSERT INTO pithos_node (parent_id, name, is_live)
    SELECT {container}, 'f' || lpad((n / 1000)::text, 4, '0') || '/o' || lpad(n::text, 7, '0'), true
    FROM generate_series(0, {count} - 1) n"""
_VERSIONS = """INSERT INTO pithos_version (node_id, cluster, hash, size, type, mtime, muser, uuid, checksum,
        available, is_snapshot, is_static_manifest)
    SELECT id, 0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 0, 'text/plain', now(),
        '{user}', gen_random_uuid(), 'd41d8cd98f00b204e9800998ecf8427e', 1, false, false
    FROM pithos_node WHERE parent_id = {container}"""
_SUMS = "UPDATE pithos_statistics SET current_count = current_count + {count} WHERE node_id = {container}"


def many_objects(site: Site, seconds: float) -> Iterator[Line]:
    """A page of a container of a million objects beside one of a thousand, by names and by folders."""
    count = MILLION if seconds > 1 else 20_000
    _fill(site, "thousand", THOUSAND)
    _fill(site, "many", count)
    small = _page_rate(site, "thousand", "limit=1000", seconds)
    for place, number in (("start", 0), ("middle", count // 2), ("end", count - 1001)):
        marker = f"f{number // 1000:04}/o{number:07}"
        rate = _page_rate(site, "many", f"limit=1000&marker={marker}", seconds)
        yield Line(f"page of 1,000 of {count:,}, {place}", rate, "/s", "the same of 1,000", small)
    folders = count // 1000
    rate = _page_rate(site, "many", "delimiter=/", seconds)
    yield Line(f"{folders:,} folders of {count:,} objects", rate, "/s", "page of 1,000 objects", small)


def folders(site: Site, seconds: float) -> Iterator[Line]:
    """A folder of 10,000 objects copied, moved and deleted by one request each."""
    count = FOLDER if seconds > 1 else 500
    _fill(site, "folder", count)
    _send(site, "PUT", "folder/top", Content_Type="application/directory", Content_Length="0")
    site.database.execute(
        f"UPDATE pithos_node SET name = 'top/' || name WHERE parent_id = {_container(site, 'folder')}"
        " AND name <> 'top'",
        "synnefo",
    )
    _send(site, "PUT", "elsewhere")
    for name, method, path, target in (
        ("copying", "COPY", "folder/top?delimiter=/", "/folder/copy"),
        ("renaming", "MOVE", "folder/copy?delimiter=/", "/folder/renamed"),
        ("moving", "MOVE", "folder/renamed?delimiter=/", "/elsewhere/moved"),
        ("deleting", "DELETE", "elsewhere/moved?delimiter=/", ""),
    ):
        spent = _send(site, method, path, **({"Destination": target} if target else {}))
        yield Line(f"{name} a folder of {count:,}", count / spent, "objects/s", note=f"{spent:.2f} s")


def memory(site: Site, seconds: float) -> Iterator[Line]:
    """How much the server grows while an object of 5 GiB is written and read."""
    blocks = (5 << 30) // BLOCK if seconds > 1 else 16
    _send(site, "PUT", "huge")
    content = os.urandom(BLOCK)  # one block over and over: what is stored already is not written again
    _send(site, "PUT", "huge/small", content)
    _send(site, "GET", "huge/small")
    size = f"{blocks * BLOCK / (1 << 30):.1f} GiB"
    for method in ("PUT", "GET"):
        before = _peaks(site, reset=True)
        spent = _send(site, method, "huge/o", _repeated(content, blocks) if method == "PUT" else b"",
                      Content_Length=str(blocks * BLOCK) if method == "PUT" else "0")  # fmt: skip
        grown = max(max(after - before.get(pid, after), 0) for pid, after in _peaks(site).items()) / MIB
        note = f"{blocks * BLOCK / MIB / spent:.0f} MiB/s; less is better"
        yield Line(f"memory for {method} of {size}", max(grown, 0.1), "MiB", "allowed", ALLOWED, note)


def _repeated(content: bytes, count: int) -> Iterator[bytes]:
    return (content for _ in range(count))


def _peaks(site: Site, *, reset: bool = False) -> dict[int, int]:
    """Return the largest resident size of each of the server's processes in bytes, since the last reset."""
    assert site.web_pid is not None
    master = psutil.Process(site.web_pid)
    found: dict[int, int] = {}
    for process in [master, *master.children(recursive=True)]:
        folder = Path("/proc") / str(process.pid)
        if reset:
            (folder / "clear_refs").write_text("5")
        for line in (folder / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                found[process.pid] = int(line.split()[1]) * 1024
    return found


def _fill(site: Site, name: str, count: int) -> None:
    _send(site, "PUT", name)
    values = {"container": _container(site, name), "count": count, "user": site.credentials["uuid"]}
    for statement in (_NODES, _VERSIONS, _SUMS):
        site.database.execute(statement.format(**values), "synnefo")
    for table in ("pithos_node", "pithos_version"):
        site.database.execute(f"VACUUM ANALYZE {table}", "synnefo")


def _container(site: Site, name: str) -> str:
    return site.database.execute(f"SELECT id FROM pithos_node WHERE name = '{name}'", "synnefo").strip()


def _path(site: Site, path: str) -> str:
    return f"/pithos/object-store/v1/{site.credentials['uuid']}/{path}"


def _page_rate(site: Site, container: str, query: str, seconds: float) -> float:
    path = _path(site, f"{container}?format=json&{query}")
    headers = {"X-Auth-Token": site.credentials["token"]}
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
    connection.request("GET", path, headers=headers)
    if not json.loads(connection.getresponse().read()):
        raise RuntimeError(f"{path}: nothing is listed")
    connection.close()
    return hammer(site.port, Request("GET", path, headers), clients=1, seconds=min(seconds, 3)).rate


def _send(site: Site, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str) -> float:
    """Send one request, read its answer piece by piece, and return the seconds of both."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=600)
    started = time.perf_counter()
    token = {"X-Auth-Token": site.credentials["token"]}
    connection.request(method, _path(site, path), body, token | {"Content-Type": "text/plain"} | named)
    answer = connection.getresponse()
    while answer.read(MIB):
        pass
    spent = time.perf_counter() - started
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status}")
    return spent
