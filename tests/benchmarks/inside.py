"""Measurements without HTTP: how many statements a request makes, commissions in threads of one process.

Runs as a program with the site's settings; prints JSON.
"""

from __future__ import annotations

import itertools
import json
import sys

import django

from tests.benchmarks.content import HOLDINGS
from tests.benchmarks.peers import rate_of


def queries(token: str, paths: list[str]) -> dict[str, int]:
    """Return the number of statements that a GET of each path makes, authentication included."""
    from django.core import signals
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    signals.request_started.disconnect(reset_queries)
    client = Client(headers={"X-Auth-Token": token, "Host": "127.0.0.1"})
    counts = {}
    for path in paths:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
        counts[path] = len(captured)
    return counts


def commissions(uuid: str, seconds: float, clients: int) -> dict[str, float]:
    """Return commissions a second that are issued and then accepted, on one pair of holdings and on many."""
    from astakos import public as astakos

    turns = itertools.count()

    def pair(user: str, project: str) -> list[astakos.Provision]:
        return [
            astakos.Provision(user, project, "cyclades.vm", 1),
            astakos.Provision(project, None, "cyclades.vm", 1),
        ]

    def settle(provisions: list[astakos.Provision]) -> None:
        serial = astakos.issue_commission(clientkey="bench", name="bench", provisions=provisions)
        outcome = astakos.resolve_commissions(clientkey="bench", accept=[serial])
        if outcome.accepted != (serial,):
            raise RuntimeError(f"commission {serial}: {outcome}")

    def spread(_number: int) -> None:
        place = next(turns) % HOLDINGS
        settle(pair(f"user:spread-{place}", f"project:spread-{place}"))

    hot = pair(f"user:{uuid}", f"project:{uuid}")
    return {
        "hot": rate_of(lambda _number: settle(hot), seconds, clients),
        "spread": rate_of(spread, seconds, clients),
    }


def main() -> None:
    """Do what the command line says: ``queries TOKEN PATH…`` or ``commissions UUID SECONDS CLIENTS``."""
    django.setup()
    if sys.argv[1] == "queries":
        print(json.dumps(queries(sys.argv[2], sys.argv[3:])))
    else:
        print(json.dumps(commissions(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))


if __name__ == "__main__":
    main()
