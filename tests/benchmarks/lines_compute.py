"""Lines about servers and the dispatcher."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator

from tests.benchmarks.line import Line
from tests.benchmarks.load import NUMBER, Request, hammer
from tests.benchmarks.peers import sql_rate
from tests.benchmarks.site import Site

_COMPUTE = "/cyclades/compute/v2.0"
_ROWS = """SELECT row_to_json(r) FROM (SELECT s.*, p.id AS port, p.mac, i.address, v.id AS volume
    FROM (SELECT * FROM cyclades_server WHERE userid = '{user}' AND NOT deleted ORDER BY id LIMIT {limit}) s
    JOIN cyclades_port p ON p.machine_id = s.id JOIN cyclades_ipaddress i ON i.nic_id = p.id
    JOIN cyclades_volume v ON v.machine_id = s.id ORDER BY s.id) r"""
_BRIEF = (
    "SELECT id, name FROM cyclades_server WHERE userid = '{user}' AND NOT deleted ORDER BY id LIMIT {limit}"
)


def servers(site: Site, seconds: float) -> Iterator[Line]:
    """Lists of 1,000 servers by one client, beside raw SQL that yields the same servers as JSON."""
    headers = {"X-Auth-Token": site.credentials["token"]}
    lists = {
        "1,000 brief": ("servers?limit=1000", _BRIEF, 1000),
        "1,000 detail": ("servers/detail?limit=1000", _ROWS, 1000),
        "page of 100, detail": ("servers/detail?limit=100", _ROWS, 100),
    }
    paths = [f"{_COMPUTE}/{path}" for path, _, _ in lists.values()]
    counts = json.loads(site.run("tests.benchmarks.inside", "queries", site.credentials["token"], *paths))
    for name, (path, statement, limit) in lists.items():
        target = f"{_COMPUTE}/{path}"
        found = len(json.loads(_call(site.port, "GET", target, headers))["servers"])
        if found != limit:
            raise RuntimeError(f"{target}: {found} servers")
        outcome = hammer(site.port, Request("GET", target, headers), clients=1, seconds=seconds)
        select = statement.format(user=site.credentials["uuid"], limit=limit)
        peer = sql_rate(site.database.url(), select, min(seconds, 2))
        note = f"{counts[target]} queries, {outcome.note}"
        yield Line(f"server list, {name}", outcome.rate, "/s", "raw SQL to JSON", peer, note)


def server_creation(site: Site, seconds: float) -> Iterator[Line]:
    """``POST /servers`` by one client while the cluster takes its time for a job; beside the fastest."""
    site.add_cluster()
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/json"}
    flavors = json.loads(_call(site.port, "GET", f"{_COMPUTE}/flavors", headers))["flavors"]
    server = {"name": f"created-{NUMBER}", "imageRef": _image(site), "flavorRef": flavors[0]["id"]}
    request = Request("POST", f"{_COMPUTE}/servers", headers, json.dumps({"server": server}))
    fastest = 0.0
    hammer(site.port, request, clients=1, seconds=1)
    for delay in (0.05, 0.5, 5.0):
        _control(site, "DELETE")
        fault = {
            "kind": "delay",
            "count": 100_000,
            "seconds": delay,
            "method": "POST",
            "path": "/2/instances",
        }
        _control(site, "POST", fault)
        outcome = hammer(site.port, request, clients=1, seconds=min(seconds, 5))
        fastest = fastest or outcome.p50_ms
        name = f"POST /servers, RAPI takes {delay:g} s"
        yield Line(name, outcome.p50_ms, "ms", "RAPI takes 0.05 s", fastest, outcome.note)
    _control(site, "DELETE")


def _image(site: Site) -> str:
    uuid = site.credentials["uuid"]
    headers = {"X-Auth-Token": site.credentials["token"], "Content-Type": "application/octet-stream"}
    _call(site.port, "PUT", f"/pithos/object-store/v1/{uuid}/images", headers)
    _call(site.port, "PUT", f"/pithos/object-store/v1/{uuid}/images/starter", headers, b"an image")
    meta = {
        "name": "Starter", "location": f"pithos://{uuid}/images/starter", "disk-format": "diskdump",
        "container-format": "bare",
    }  # fmt: skip
    image = headers | {f"X-Image-Meta-{key}": value for key, value in meta.items()}
    _call(site.port, "POST", "/cyclades/image/v1.0/images/", image)
    listed = json.loads(_call(site.port, "GET", "/cyclades/image/v1.0/images/", headers))
    return str(listed[0]["id"])


def _control(site: Site, method: str, body: object = None) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    _call(site.control_port, method, "/faults", {"Content-Type": "application/json"}, content)


def dispatcher(site: Site, seconds: float) -> Iterator[Line]:
    """Messages a second of one dispatcher with the database, beside commits of one row as fast."""
    name = f"bench{time.time_ns()}"
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SYNNEFO_TEST_DATABASE": site.database.create_database(name),
    }
    printed = site.run("tests.benchmarks.bench_dispatcher", environment=environment)
    touch = "UPDATE cyclades_server SET buildpercentage = 1 WHERE id = 1 RETURNING id"
    peer = sql_rate(site.database.url(), touch, min(seconds, 2))
    for row in printed.splitlines():
        kind, _, figures = row.rpartition("  ")
        if figures.endswith("messages/s"):
            yield Line(kind.strip(), float(figures.split()[0]), "messages/s", "UPDATE of one row, 1", peer)


def scale(site: Site, seconds: float) -> Iterator[Line]:
    """Pages of 10,000 servers and 2,000 networks, and reconciling 5,000 instances within a minute."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SYNNEFO_TEST_DATABASE": site.database.create_database(f"scale{time.time_ns()}"),
    }
    # With a second for each figure this only shows that it works.
    servers = "10000" if seconds > 1 else "500"
    found = json.loads(site.run("tests.benchmarks.bench_scale", servers, environment=environment))
    first: dict[str, float] = {}
    for name, page in found["pages"].items():
        peer = first.setdefault(name.partition(",")[0], page["rate"])
        note = f"{page['queries']} queries"
        yield Line(f"{name} of {servers}", page["rate"], "/s", "its first page", peer, note)
    reconciled = found["reconcile"]
    note = f"{reconciled['found']} differences of {int(servers) // 2} instances, {reconciled['left']} left"
    note += f", {reconciled['cpu']:.1f} s of CPU for both"
    yield Line("reconcile-servers, look", reconciled["look"], "s", "allowed", 60, note)
    yield Line("reconcile-servers, mend", reconciled["mend"], "s", "allowed", 60, note)
    yield Line(f"recount of {servers} servers' quota", found["recount"], "s", "allowed", 60)


def _call(port: int, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
    return content
