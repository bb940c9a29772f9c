"""Rows of the compute service's tags, graphs, floating IPs, keys and statistics (see ``route_rows``)."""

from __future__ import annotations

from stats.logic.graphs import GRAPHS
from tests.security.route_rows import by, everybody, row, users

_C = "cyclades/compute/v2.0"
_V = f"{_C}/servers/{{server}}"
_KEYS = "cyclades/userdata/keys"
_KEY = f"{_KEYS}/999999999"
COMPUTE_MORE = [
    row("GET", f"{_V}/tags", by(404, 200, 200)),
    row("PUT", f"{_V}/tags", by(404, 200, 200), {"tags": ["a"]}),
    row("DELETE", f"{_V}/tags", by(404, 404, 404)),
    row("GET", f"{_V}/tags/none", by(404, 404, 404)),
    row("PUT", f"{_V}/tags/a", by(404, 201, 201)),
    row("DELETE", f"{_V}/tags/none", by(404, 404, 404)),
    row("GET", f"{_V}/stats", by(404, 200, 200)),
    row("GET", f"{_C}/os-floating-ips", users(200)),
    row("POST", f"{_C}/os-floating-ips", users(200)),
    row("GET", f"{_C}/os-floating-ips/{{ip}}", by(404, 200, 200)),
    row("DELETE", f"{_C}/os-floating-ips/{{ip}}", by(404, 204, 204)),
    row("GET", f"{_C}/os-floating-ip-pools", users(200)),
    row("GET", _KEYS, users(200)),
    row("POST", _KEYS, users(422), {}),
    row("POST", f"{_KEYS}/generate", users(200)),
    row("POST", f"{_KEYS}/download", users(400)),
    row("GET", _KEY, users(404)),
    row("PUT", _KEY, users(404), {}),
    row("DELETE", _KEY, users(404)),
    # The token in the path is what counts, and this is none.
    *(row("GET", f"stats/v1.0/{graph}/x", everybody(400)) for graph in GRAPHS),
    row("GET", "cyclades/admin/stats", everybody(200)),
    row("GET", "cyclades/admin/stats/simple", everybody(200)),
    row("GET", "cyclades/admin/stats/detail", users(403)),
]
