"""Commissions under concurrency, with real threads on PostgreSQL."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from astakos import public
from astakos.models import Commission, Holding, Provision
from astakos.public import Provision as Charge
from synnefo.db.locks import atomic, lock_rows
from synnefo.errors import OverLimit, ServiceUnavailable
from tests.markers import needs_postgres

pytestmark = [pytest.mark.db, needs_postgres, pytest.mark.django_db(transaction=True)]


def in_threads(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run *jobs* at once and return what each returned or raised."""
    barrier = threading.Barrier(len(jobs))
    outcomes: list[Any] = [None] * len(jobs)

    def run(number: int, job: Callable[[], object]) -> None:
        barrier.wait()
        try:
            outcomes[number] = job()
        except Exception as error:
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    return outcomes


def holding(holder: str, source: str | None, resource: str, limit: int) -> None:
    Holding.objects.create(holder=holder, source=source, resource=resource, limit=limit)


def test_fifty_threads_on_a_holding_that_admits_ten() -> Any:
    holding("user:u", "project:p", "vm", 10)
    holding("project:p", None, "vm", 1000)

    def job() -> int:
        provisions = public.charge("u", "p", {"vm": 1})
        return public.issue_commission(clientkey="k", name="", provisions=provisions, auto_accept=True)

    outcomes = in_threads([job] * 50)
    refused = [outcome for outcome in outcomes if isinstance(outcome, OverLimit)]
    assert len(refused) == 40
    assert len({outcome for outcome in outcomes if isinstance(outcome, int)}) == 10
    assert set(Holding.objects.values_list("usage_min", "usage_max")) == {(10, 10)}
    assert {(error.data or {}).get("name") for error in refused} == {"NoCapacityError"}


def test_two_issuers_of_the_last_unit_get_one_yes_and_one_no() -> None:
    holding("project:p", None, "vm", 1)
    charge = [Charge("project:p", None, "vm", 1)]
    outcomes = in_threads([lambda: public.issue_commission(clientkey="k", name="", provisions=charge)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["OverLimit", "int"]


def test_many_holdings_in_any_order_do_not_deadlock() -> Any:
    keys = [f"r{number}" for number in range(12)]
    for key in keys:
        holding("project:p", None, key, 10**6)

    def job(seed: int) -> int:
        chooser = random.Random(seed)
        done = 0
        for _ in range(10):
            chosen = chooser.sample(keys, 6)
            provisions = [Charge("project:p", None, key, chooser.randint(1, 5)) for key in chosen]
            serial = public.issue_commission(clientkey="k", name="", provisions=provisions)
            lists = {"accept": [serial]} if chooser.random() < 0.5 else {"reject": [serial]}
            resolution = public.resolve_commissions(clientkey="k", **lists)
            done += len(resolution.accepted) + len(resolution.rejected)
        return done

    outcomes = in_threads([partial(job, seed) for seed in range(8)])
    assert outcomes == [10] * 8
    assert not Commission.objects.exists()
    assert all(row.usage_min == row.usage_max for row in Holding.objects.all())


def test_one_commission_is_resolved_once_only() -> None:
    holding("project:p", None, "vm", 5)
    serial = public.issue_commission(clientkey="k", name="", provisions=[Charge("project:p", None, "vm", 3)])
    accept = [lambda: public.resolve_commissions(clientkey="k", accept=[serial])] * 4
    reject = [lambda: public.resolve_commissions(clientkey="k", reject=[serial])] * 4
    outcomes = in_threads(accept + reject)
    assert sum(len(outcome.accepted) + len(outcome.rejected) for outcome in outcomes) == 1
    row = Holding.objects.get()
    assert (row.usage_min, row.usage_max) in {(3, 3), (0, 0)}
    assert not Provision.objects.exists()


def test_a_holding_locked_for_too_long_is_unavailable(settings: Settings) -> Any:
    settings.DATABASE_LOCK_TIMEOUT, settings.DATABASE_LOCK_RETRIES = 100, 1
    holding("project:p", None, "vm", 5)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with atomic():
            lock_rows(Holding.objects.all())
            locked.set()
            done.wait(120)

    def want() -> int:
        locked.wait(120)
        try:
            charge = [Charge("project:p", None, "vm", 1)]
            return public.issue_commission(clientkey="k", name="", provisions=charge)
        finally:
            done.set()

    _, outcome = in_threads([hold, want])
    assert isinstance(outcome, ServiceUnavailable)
    assert Holding.objects.get().usage_max == 0


def test_users_accepted_while_a_resource_is_registered_get_it() -> Any:
    from tests.astakos.conftest import BASE_URL, UI_URL

    def register(number: int) -> str:
        services = [
            public.ServiceDefinition(
                name=f"s{number}",
                type="t",
                endpoints=[{"versionId": ""}],
                resources=[public.ResourceDefinition(f"c.r{number}")],
            )
        ]
        return public.register_component(name="c", base_url=BASE_URL, ui_url=UI_URL, services=services)

    def accept(number: int) -> str:
        return public.create_user(
            email=f"u{number}@lab.example", password="x", first_name="A", last_name="B"
        ).uuid

    register(0)
    jobs = [partial(register, n) for n in range(1, 5)] + [partial(accept, n) for n in range(4)]
    outcomes = in_threads(jobs)
    assert all(isinstance(outcome, str) for outcome in outcomes)
    holdings = Holding.objects.filter(source__isnull=True).values_list("holder", "resource")
    assert len(holdings) == 4 * 5


def test_rolled_back_caller_leaves_nothing() -> None:
    holding("project:p", None, "vm", 5)
    with pytest.raises(RuntimeError), atomic():
        public.issue_commission(clientkey="k", name="", provisions=[Charge("project:p", None, "vm", 3)])
        raise RuntimeError
    assert Holding.objects.get().usage_max == 0
    assert not Commission.objects.exists()


def test_refusal_inside_a_transaction_lets_it_go_on() -> None:
    holding("project:p", None, "vm", 5)
    with atomic():
        with pytest.raises(OverLimit):
            public.issue_commission(clientkey="k", name="", provisions=[Charge("project:p", None, "vm", 6)])
        public.issue_commission(clientkey="k", name="", provisions=[Charge("project:p", None, "vm", 5)])
    assert Holding.objects.get().usage_max == 5
