"""Rows of the compute service that Nova's clients need, and of all its calls in Nova's profile."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.security.route_rows import Row, by, row, users

_C = "cyclades/compute/v2.0"
_V = f"{_C}/servers/{{server}}"
_QUOTA, _USAGE = f"{_C}/os-quota-sets/{{owner}}", f"{_C}/os-simple-tenant-usage"
_PORTS = f"{_V}/os-interface"
_ON_NETWORK = {"interfaceAttachment": {"net_id": "{network}"}}

#: In both profiles.
EXTENSIONS = [
    row("GET", f"{_C}/limits", users(200)),
    row("GET", _QUOTA, by(404, 404, 200)),
    row("PUT", _QUOTA, users(403)),
    row("DELETE", _QUOTA, users(403)),
    row("GET", f"{_QUOTA}/detail", by(404, 404, 200)),
    row("GET", f"{_QUOTA}/defaults", by(404, 404, 200)),
    row("GET", _USAGE, users(200)),
    row("GET", f"{_USAGE}/{{owner}}", by(404, 404, 200)),
    row("GET", f"{_C}/os-availability-zone", users(200)),
    row("GET", f"{_C}/os-availability-zone/detail", users(403)),
    row("GET", f"{_C}/os-security-groups", users(200)),
    row("GET", f"{_C}/os-server-groups", users(200)),
    row("GET", f"{_V}/os-security-groups", by(404, 200, 200)),
    row("GET", f"{_V}/os-instance-actions", by(404, 200, 200)),
    row("GET", _PORTS, by(404, 200, 200)),
    row("POST", _PORTS, by(404, 200, 200), _ON_NETWORK),
    # The port of the table's world is on no server.
    row("GET", f"{_PORTS}/{{port}}", by(404, 404, 404)),
    row("DELETE", f"{_PORTS}/{{port}}", by(404, 404, 404)),
]
NETWORK_EXTENSIONS = [
    row("GET", "cyclades/network/v2.0/agents", users(404)),
]

#: Calls of v2.0 that succeed with another status in v2.1: verb, end of the path, statuses.
_OTHERWISE = (
    ("PUT", r"servers/\{server\}", {204: 200}),
    ("POST", r"/metadata", {201: 200}),
    ("PUT", r"/metadata/\w+", {201: 200}),
    ("POST", r"/os-keypairs", {201: 200}),
    ("DELETE", r"/os-keypairs/\w+", {204: 202}),
    ("POST", r"/os-volume_attachments", {202: 200}),
    ("GET", r"/os-volume_attachments/\{volume\}", {400: 404}),
    ("DELETE", r"/os-volume_attachments/\{volume\}", {400: 404}),
)


def in_nova(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of v2.0 as calls of v2.1."""
    ours = [r for r in rows if r.path == _C or r.path.startswith(f"{_C}/")]
    return [_in_nova(r) for r in ours]


def _in_nova(ours: Row) -> Row:
    if (ours.method, ours.path) == ("DELETE", f"{_V}/tags"):
        # Nothing to remove is what was asked for; a server that one may not see is still missing.
        ours = ours._replace(statuses=by(404, 204, 204))
    changes: dict[int, int] = {}
    for verb, end, found in _OTHERWISE:
        if ours.method == verb and re.search(end + r"\Z", ours.path):
            changes = found
    statuses = tuple(changes.get(status, status) for status in ours.statuses)
    return ours._replace(path=ours.path.replace(_C, "cyclades/compute/v2.1", 1), statuses=statuses)
