"""Lines about tokens and quota."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict

from tests.benchmarks.line import Line
from tests.benchmarks.load import SERIAL, SPREAD, Request, hammer
from tests.benchmarks.peers import sql_rate, sql_value
from tests.benchmarks.site import Site

CLIENTS = 8
#: A settled commission as two transactions of two rows each, which is the least that issue and accept can be.
_UPDATE = """UPDATE astakos_holding SET usage_max = usage_max + 1 WHERE id IN (
    SELECT id FROM astakos_holding WHERE {where} ORDER BY id FOR UPDATE) RETURNING id"""


def tokens(site: Site, seconds: float) -> Iterator[Line]:
    """Tokens authenticated, validated and made in both dialects, beside the indexed SELECT of the user."""
    url = site.database.url()
    digest = sql_value(
        url, f"SELECT auth_token_digest FROM astakos_user WHERE uuid = '{site.credentials['uuid']}'"
    )
    select = f"SELECT * FROM astakos_user WHERE auth_token_digest = '{digest}'"
    peer = sql_rate(url, select, min(seconds, 3), clients=CLIENTS)
    for name, request in _token_requests(site).items():
        outcome = hammer(site.port, request, clients=CLIENTS, seconds=seconds)
        yield Line(f"{name}, 8 clients", outcome.rate, "/s", "indexed SELECT, 8", peer, outcome.note)


def _token_requests(site: Site) -> dict[str, Request]:
    uuid, token = site.credentials["uuid"], site.credentials["token"]
    json_type = {"Content-Type": "application/json"}
    v2, v3 = "/astakos/identity/v2.0/tokens", "/astakos/identity/v3/auth/tokens"
    by_token = json.dumps({"auth": {"token": {"id": token}}})
    by_password = json.dumps({"auth": {"passwordCredentials": {"username": uuid, "password": token}}})
    user = {"id": uuid, "password": token}
    identity = {"methods": ["password"], "password": {"user": user}}
    scoped = json.dumps({"auth": {"identity": identity, "scope": {"project": {"id": uuid}}}})
    own = {"X-Auth-Token": _scoped_token(site, v3, scoped)}
    own["X-Subject-Token"] = own["X-Auth-Token"]
    return {
        "token authentication": Request("POST", v2, json_type, by_token),
        "token authentication by password": Request("POST", v2, json_type, by_password),
        "v3 token made": Request("POST", v3, json_type, scoped),
        "v3 token validated": Request("GET", v3, own),
    }


def _scoped_token(site: Site, path: str, body: str) -> str:
    request = urllib.request.Request(
        f"{site.base_url}{path}", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["X-Subject-Token"])


def quotas(site: Site, seconds: float) -> Iterator[Line]:
    """A service asks for a user's quota, beside the SELECT of the same holdings."""
    uuid = site.credentials["uuid"]
    headers = {"X-Auth-Token": site.credentials["component_token"]}
    request = Request("GET", f"/astakos/account/v1.0/service_quotas?user={uuid}", headers)
    outcome = hammer(site.port, request, clients=CLIENTS, seconds=seconds)
    select = f"SELECT * FROM astakos_holding WHERE holder IN ('user:{uuid}', 'project:{uuid}')"
    peer = sql_rate(site.database.url(), select, min(seconds, 3), clients=CLIENTS)
    yield Line("service quotas of a user, 8 clients", outcome.rate, "/s", "SELECT, 8", peer, outcome.note)


def commissions(site: Site, seconds: float) -> Iterator[Line]:
    """Commissions issued and then accepted, beside one durable two-row UPDATE for each of the two steps."""
    uuid = site.credentials["uuid"]
    url = site.database.url()
    one = f"holder IN ('user:{uuid}', 'project:{uuid}') AND resource = 'cyclades.vm'"
    # The place is drawn once for each statement, so that the two rows belong together.
    many = "holder IN (SELECT unnest(ARRAY['user:spread-' || n, 'project:spread-' || n]) FROM place)"
    place = "WITH place AS MATERIALIZED (SELECT floor(random() * 200)::int AS n) "
    peers = {
        "hot": sql_rate(url, _UPDATE.format(where=one), min(seconds, 3), clients=CLIENTS) / 2,
        "spread": sql_rate(url, place + _UPDATE.format(where=many), min(seconds, 3), clients=CLIENTS) / 2,
    }
    inside = json.loads(site.run("tests.benchmarks.inside", "commissions", uuid, str(seconds), str(CLIENTS)))
    for kind, peer in peers.items():
        name = f"commission issue + accept, 8 threads of one process, {kind}"
        yield Line(name, inside[kind], "/s", "2 UPDATEs of 2 rows, 8", peer)
    for kind, peer in peers.items():
        outcome = hammer(site.port, _over_http(site, kind), clients=CLIENTS, seconds=seconds)
        name = f"commission issue + accept, 8 clients over HTTP, {kind}"
        yield Line(name, outcome.rate, "/s", "2 UPDATEs of 2 rows, 8", peer, outcome.note)


def _over_http(site: Site, kind: str) -> Request:
    owner = site.credentials["uuid"] if kind == "hot" else f"spread-{SPREAD}"
    provisions = [
        {"holder": f"user:{owner}", "source": f"project:{owner}", "resource": "cyclades.vm", "quantity": 1},
        {"holder": f"project:{owner}", "source": None, "resource": "cyclades.vm", "quantity": 1},
    ]
    path = "/astakos/account/v1.0/commissions"
    headers = {"Content-Type": "application/json", "X-Auth-Token": site.credentials["component_token"]}
    accept = Request("POST", f"{path}/{SERIAL}/action", headers, json.dumps({"accept": ""}))
    return Request(
        "POST", path, headers, json.dumps({"name": "bench", "provisions": provisions}), then=asdict(accept)
    )
