"""A large object passes through a web worker without staying in its memory."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.site import Site

pytestmark = [pytest.mark.fault, pytest.mark.functional]

#: Many times what a worker may keep of it; more would only take longer.
SIZE = 256 << 20
#: What repeats in the object: two blocks, so that the disk is not what is tested.
PIECE = hashlib.shake_256(b"piece").digest(8 << 20)
GROWTH = 64 << 20


def workers(master: int) -> list[int]:
    """Return the process ids of gunicorn's workers."""
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def peak(pids: list[int]) -> dict[int, int]:
    """Return each process's largest resident size so far in bytes."""
    result = {}
    for pid in pids:
        line = next(
            row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM")
        )
        result[pid] = int(line.split()[1]) << 10
    return result


def content() -> Iterator[bytes]:
    for _ in range(SIZE // len(PIECE)):
        yield PIECE


def test_memory_does_not_grow_with_the_object(impatient_site: Site) -> None:
    site = impatient_site
    token = {"X-Auth-Token": site.credentials["token"]}
    path = f"/pithos/object-store/v1/{site.credentials['uuid']}/big"

    def ask(method: str, target: str, **extra: object) -> http.client.HTTPResponse:
        # One for each request: the server ends idle ones.
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=120)
        connection.request(method, target, **extra)  # type: ignore[arg-type]
        return connection.getresponse()

    for _ in range(20):  # every worker has done its first work
        assert ask("PUT", path, headers=token, body=b"").read() == b""
        assert ask("PUT", f"{path}/small", headers=token, body=b"x").read() == b""
    assert site.web_pid is not None
    for pid in workers(site.web_pid):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak of what others did is forgotten
    before = peak(workers(site.web_pid))

    headers = {**token, "Content-Length": str(SIZE), "Content-Type": "application/octet-stream"}
    stored = ask("PUT", f"{path}/large", headers=headers, body=content())
    stored.read()
    assert stored.status == 201
    loaded = ask("GET", f"{path}/large", headers=token)
    assert loaded.status == 200
    received = 0
    while piece := loaded.read(len(PIECE)):
        assert piece == PIECE
        received += len(piece)
    assert received == SIZE

    after = peak(workers(site.web_pid))
    assert {pid: after[pid] - size for pid, size in before.items() if after[pid] - size >= GROWTH} == {}
