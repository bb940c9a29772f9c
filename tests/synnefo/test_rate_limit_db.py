"""Counting attempts across processes."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from synnefo import rate_limit
from synnefo.models import RateLimitCounter
from tests.markers import needs_postgres


@pytest.mark.db
@pytest.mark.django_db
@pytest.mark.usefixtures("one_period")
def test_a_new_period_counts_from_one() -> None:
    counted = [rate_limit.count_attempt("door", limit=2, period=3_600) for _ in range(3)]
    assert [(one.count, one.exceeded) for one in counted] == [(1, False), (2, False), (3, True)]
    assert rate_limit.count_attempt("door", limit=2, period=7).count == 1


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_counting_while_others_forget() -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            barrier.wait(60)
            for _ in range(40):
                if number % 2:
                    rate_limit.forget("door")
                else:
                    assert rate_limit.count_attempt("door", limit=2, period=86_400).count >= 1
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors
    assert RateLimitCounter.objects.count() <= 1
