"""Processes that issue and settle commissions at once, as web workers and services do; run by the test.

Reads the database's name from its arguments and prints, as JSON, what each process holds at the end and how
many of its commissions ended how. A program of its own, as a fork of one that has threads may never go on.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
from collections import Counter
from typing import Any

PROCESSES, COMMISSIONS, HOLDINGS = 8, 200, 20


def work(number: int) -> dict[str, Any]:
    """Issue and settle a process's share."""
    from django.db import connections

    from astakos import public
    from synnefo.errors import OverLimit

    chooser = random.Random(number)
    held: Counter[str] = Counter()
    refused = settled = 0
    for _ in range(COMMISSIONS // PROCESSES):
        changes = {f"r{chooser.randrange(HOLDINGS)}": chooser.randint(1, 6) for _ in range(4)}
        for resource in chooser.sample(sorted(held), min(len(held), 2)):
            if held[resource] and resource not in changes:
                changes[resource] = -chooser.randint(1, held[resource])
        provisions = [
            public.Provision("project:p", None, resource, change) for resource, change in changes.items()
        ]
        try:
            serial = public.issue_commission(clientkey="k", name=str(number), provisions=provisions)
        except OverLimit:
            refused += 1
            continue
        accept = chooser.random() < 0.7
        lists = {"accept": [serial]} if accept else {"reject": [serial]}
        outcome = public.resolve_commissions(clientkey="k", **lists)
        assert len(outcome.accepted) + len(outcome.rejected) == 1
        settled += 1
        if accept:
            held.update(changes)
    connections.close_all()
    return {"held": dict(held), "settled": settled, "refused": refused}


def main() -> None:
    """Let every process do its share, and print what they did."""
    import django
    from django.db import connection

    django.setup()
    connection.settings_dict["NAME"] = sys.argv[1]
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        print(json.dumps(pool.map(work, range(PROCESSES), chunksize=1)))


if __name__ == "__main__":
    main()
