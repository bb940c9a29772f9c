"""The commission algorithm against an in-memory oracle, by random programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astakos import public
from astakos.models import Holding
from astakos.public import Provision
from synnefo.errors import NotFound, OverLimit

Key = tuple[str, str | None, str]
KEYS: list[Key] = [
    ("user:u", "project:p", "a"),
    ("project:p", None, "a"),
    ("project:p", None, "b"),
    ("user:v", None, "x"),
]
KNOWN = KEYS[:3]

quantities = st.integers(-6, 6)
provision_lists = st.lists(st.tuples(st.sampled_from(KEYS), quantities), max_size=5)
steps = st.one_of(
    st.tuples(st.just("issue"), provision_lists, st.booleans(), st.booleans()),
    st.tuples(st.just("resolve"), st.integers(0, 6), st.booleans()),
    st.tuples(st.just("limit"), st.sampled_from(KNOWN), st.integers(0, 12)),
)


@dataclass
class Oracle:
    """The rules of identity contract 2.1 over dictionaries."""

    limit: dict[Key, int] = field(default_factory=lambda: dict.fromkeys(KNOWN, 8))
    low: dict[Key, int] = field(default_factory=lambda: dict.fromkeys(KNOWN, 0))
    high: dict[Key, int] = field(default_factory=lambda: dict.fromkeys(KNOWN, 0))
    pending: dict[int, dict[Key, int]] = field(default_factory=dict)

    def verdict(self, wanted: dict[Key, int], force: bool) -> str | None:
        for key, quantity in wanted.items():
            if key not in self.limit:
                return "NoHoldingError"
            if quantity >= 0 and not force and self.high[key] + quantity > self.limit[key]:
                return "NoCapacityError"
            if quantity < 0 and self.low[key] + quantity < 0:
                return "NoQuantityError"
        return None

    def issue(self, serial: int, wanted: dict[Key, int]) -> None:
        for key, quantity in wanted.items():
            counter = self.high if quantity >= 0 else self.low
            counter[key] += quantity
        self.pending[serial] = wanted

    def resolve(self, serial: int, accept: bool) -> None:
        for key, quantity in self.pending.pop(serial).items():
            imported = quantity >= 0
            if accept:
                counter = self.low if imported else self.high
                counter[key] += quantity
            else:
                counter = self.high if imported else self.low
                counter[key] -= quantity


def apply(oracle: Oracle, step: tuple[Any, ...]) -> None:
    if step[0] == "limit":
        _, key, limit = step
        oracle.limit[key] = limit
        Holding.objects.filter(holder=key[0], source=key[1], resource=key[2]).update(limit=limit)
    elif step[0] == "resolve":
        _, position, accept = step
        if position < len(oracle.pending):
            serial = list(oracle.pending)[position]
            lists = {"accept": [serial]} if accept else {"reject": [serial]}
            resolution = public.resolve_commissions(clientkey="k", **lists)
            assert not resolution.failed
            oracle.resolve(serial, accept)
    else:
        issue(oracle, *step[1:])


def issue(oracle: Oracle, items: list[tuple[Key, int]], force: bool, auto_accept: bool) -> None:
    wanted: dict[Key, int] = {}
    for key, quantity in items:
        wanted[key] = wanted.get(key, 0) + quantity
    provisions = [Provision(key[0], key[1], key[2], quantity) for key, quantity in items]
    expected = oracle.verdict(wanted, force)
    try:
        serial = public.issue_commission(
            clientkey="k", name="", provisions=provisions, force=force, auto_accept=auto_accept
        )
    except (OverLimit, NotFound) as error:
        assert error.data is not None
        assert error.data["name"] == expected
        return
    assert expected is None
    oracle.issue(serial, wanted)
    if auto_accept:
        oracle.resolve(serial, True)


@pytest.mark.db
@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.lists(steps, min_size=1, max_size=12))
def test_random_programs_agree_with_the_oracle(django_db_setup: None, program: list[tuple[Any, ...]]) -> None:
    from django.db import transaction

    sid = transaction.savepoint()
    try:
        for holder, source, resource in KNOWN:
            Holding.objects.create(holder=holder, source=source, resource=resource, limit=8)
        oracle = Oracle()
        for step in program:
            apply(oracle, step)
            rows = {(row.holder, row.source, row.resource): row for row in Holding.objects.all()}
            assert {key: row.usage_min for key, row in rows.items()} == oracle.low
            assert {key: row.usage_max for key, row in rows.items()} == oracle.high
            assert public.pending_commissions(clientkey="k") == sorted(oracle.pending)
    finally:
        transaction.savepoint_rollback(sid)
