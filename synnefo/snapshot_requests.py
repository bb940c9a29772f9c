"""What a node is asked for when a disk is to be copied into the object store; free of Django.

The request goes through a queue of the node, the answer is the ``OP_INSTANCE_SNAPSHOT`` message that the
dispatcher knows (Ganeti contract 14.2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synnefo.amqp import Client

EXCHANGE = "snapshots"
OPERATION = "OP_INSTANCE_SNAPSHOT"
MAX_BYTES = 64 * 1024
_NODE = re.compile(r"[\w.-]{1,255}", re.ASCII)
_SIZES = frozenset({"job_id", "size", "index"})


class RequestError(Exception):
    """The message is no request."""


@dataclass(frozen=True, kw_only=True)
class SnapshotRequest:
    """A disk to copy: ``path`` and ``index`` on the node, ``size`` in bytes, ``disk`` its Ganeti name.

    ``job_id`` numbers the request; the answer carries it.
    """

    job_id: int
    snapshot_id: str
    cluster: str
    node: str
    instance: str
    disk: str
    index: int
    path: str
    size: int

    def encode(self) -> bytes:
        """Return the message body."""
        return json.dumps(asdict(self)).encode()


def decode(body: bytes) -> SnapshotRequest:
    """Return the request in a message body; raise `RequestError`."""
    if len(body) > MAX_BYTES:
        raise RequestError("the message is too long")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the message is not JSON: {error}") from error
    names = SnapshotRequest.__dataclass_fields__
    if not isinstance(content, dict) or not set(names) <= set(content):
        raise RequestError("the message lacks fields")
    for name in names:
        _check(name, content[name])
    return SnapshotRequest(**{name: content[name] for name in names})


def _check(name: str, value: Any) -> None:
    if name in _SIZES:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise RequestError(f"{name} is no size")
    elif not isinstance(value, str) or not value or "\0" in value:
        raise RequestError(f"{name} is no text")


def queue_of(node: str) -> str:
    """Return the queue of a node's requests; raise `RequestError` for what is no node's name."""
    if not _NODE.fullmatch(node):
        raise RequestError(f"'{node[:64]}' is no node's name")
    return f"snf-snapshots-{node}"


def declare_queue(client: Client, node: str) -> str:
    """Create a node's queue, so that requests wait there for the node; return its name."""
    queue = queue_of(node)
    client.exchange_declare(EXCHANGE, "topic")
    client.queue_declare(queue)
    client.queue_bind(queue, EXCHANGE, queue)
    return queue


def outcome_fields(request: SnapshotRequest, mapfile: str | None, progress: int = 0) -> Mapping[str, Any]:
    """Return the ``job_fields`` of an answer: which snapshot, what its map is called, per cent copied."""
    info: dict[str, Any] = {"snapshot_info": json.dumps({"snapshot_id": request.snapshot_id})}
    if mapfile is not None:
        info["mapfile"] = mapfile
    if progress:
        info["progress"] = progress
    return {"disks": [[request.disk, info]]}
