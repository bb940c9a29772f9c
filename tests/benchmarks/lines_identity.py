"""Lines about tokens and quota."""

from __future__ import annotations

import json
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
    """Token authentication, beside the indexed SELECT of the same user over as many connections."""
    body = json.dumps({"auth": {"token": {"id": site.credentials["token"]}}})
    headers = {"Content-Type": "application/json"}
    request = Request("POST", "/astakos/identity/v2.0/tokens", headers, body)
    outcome = hammer(site.port, request, clients=CLIENTS, seconds=seconds)
    url = site.database.url()
    digest = sql_value(
        url, f"SELECT auth_token_digest FROM astakos_user WHERE uuid = '{site.credentials['uuid']}'"
    )
    select = f"SELECT * FROM astakos_user WHERE auth_token_digest = '{digest}'"
    peer = sql_rate(url, select, min(seconds, 3), clients=CLIENTS)
    yield Line("token authentication, 8 clients", outcome.rate, "/s", "indexed SELECT, 8", peer, outcome.note)


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
