"""Commissions of many processes at once, as web workers and services issue them."""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter

import pytest
from django.db import connection, connections

from astakos import public
from astakos.models import Commission, Holding, Provision, ProvisionLog
from astakos.public import Provision as Charge
from synnefo.errors import OverLimit
from tests.markers import needs_postgres

pytestmark = [pytest.mark.functional, needs_postgres, pytest.mark.django_db(transaction=True)]
PROCESSES, COMMISSIONS, HOLDINGS = 8, 200, 20
LIMIT = 40


def work(number: int) -> tuple[Counter[str], int, int]:
    """Issue and settle a process's share; return what it holds at the end, and how many ended how."""
    chooser = random.Random(number)
    held: Counter[str] = Counter()
    refused = settled = 0
    for _ in range(COMMISSIONS // PROCESSES):
        changes = {f"r{chooser.randrange(HOLDINGS)}": chooser.randint(1, 6) for _ in range(4)}
        for resource in chooser.sample(sorted(held), min(len(held), 2)):
            if held[resource] and resource not in changes:
                changes[resource] = -chooser.randint(1, held[resource])
        provisions = [Charge("project:p", None, resource, change) for resource, change in changes.items()]
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
    return held, settled, refused


def test_two_hundred_commissions_of_eight_processes_add_up() -> None:
    Holding.objects.bulk_create(
        Holding(holder="project:p", source=None, resource=f"r{number}", limit=LIMIT)
        for number in range(HOLDINGS)
    )
    connection.close()
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        outcomes = pool.map(work, range(PROCESSES), chunksize=1)
    expected: Counter[str] = Counter()
    for held, _, _ in outcomes:
        expected.update(held)
    settled, refused = (sum(outcome[place] for outcome in outcomes) for place in (1, 2))
    assert settled + refused == COMMISSIONS
    assert settled > 20 and refused > 20
    for row in Holding.objects.all():
        assert row.usage_min == row.usage_max == expected[row.resource]
        assert 0 <= row.usage_max <= LIMIT
    assert not Commission.objects.exists()
    assert not Provision.objects.exists()
    assert ProvisionLog.objects.values("serial").distinct().count() == settled
