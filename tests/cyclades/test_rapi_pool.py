"""The limit and the breaker in front of a cluster."""

from __future__ import annotations

import threading

import pytest

from cyclades.ganeti.rapi import RapiPool, RapiRefused, RapiUnavailable, RapiUnknown

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> RapiPool:
    return RapiPool(2, acquire_timeout=0.05, failure_threshold=3, cooldown=10, monotonic=clock)


def call(pool: RapiPool, error: BaseException | None = None) -> None:
    with pool.place():
        if error is not None:
            raise error


def break_down(pool: RapiPool) -> None:
    for _ in range(3):
        with pytest.raises(RapiUnavailable):
            call(pool, RapiUnavailable("down"))


def test_more_calls_than_places_wait_and_then_fail(pool: RapiPool) -> None:
    with pool.place(), pool.place(), pytest.raises(RapiUnavailable):
        call(pool)
    call(pool)
    assert not pool.is_open


def test_a_place_is_free_again_after_any_end(pool: RapiPool) -> None:
    for error in (RapiRefused(404, "no"), RapiUnknown("?"), ValueError(), KeyboardInterrupt()):
        for _ in range(2):
            with pytest.raises(type(error)):
                call(pool, error)
    call(pool)


def test_the_breaker_opens_after_consecutive_failures(pool: RapiPool) -> None:
    break_down(pool)
    assert pool.is_open
    with pytest.raises(RapiUnavailable) as caught:
        call(pool, AssertionError("must not run"))
    assert "set aside" in caught.value.message


@pytest.mark.parametrize("error", [None, RapiRefused(404, "no")])
def test_any_answer_in_between_starts_the_count_anew(pool: RapiPool, error: Exception | None) -> None:
    for _ in range(5):
        for _ in range(2):
            with pytest.raises(RapiUnavailable):
                call(pool, RapiUnavailable("down"))
        if error is None:
            call(pool)
        else:
            with pytest.raises(RapiRefused):
                call(pool, error)
    assert not pool.is_open


def test_unknown_outcomes_count_as_failures(pool: RapiPool) -> None:
    for _ in range(3):
        with pytest.raises(RapiUnknown):
            call(pool, RapiUnknown("?"))
    assert pool.is_open


def test_after_the_cooldown_one_call_probes(pool: RapiPool, clock: Clock) -> None:
    break_down(pool)
    clock.now = 10
    with pool.place(), pytest.raises(RapiUnavailable):
        call(pool)
    assert not pool.is_open
    call(pool)


def test_a_failed_probe_opens_it_again(pool: RapiPool, clock: Clock) -> None:
    break_down(pool)
    clock.now = 10
    with pytest.raises(RapiUnavailable):
        call(pool, RapiUnavailable("still down"))
    clock.now = 19
    with pytest.raises(RapiUnavailable):
        call(pool, AssertionError("must not run"))
    clock.now = 20
    call(pool)
    assert not pool.is_open


def test_an_interrupted_probe_lets_the_next_one_through(pool: RapiPool, clock: Clock) -> None:
    break_down(pool)
    clock.now = 10
    with pytest.raises(KeyboardInterrupt):
        call(pool, KeyboardInterrupt())
    call(pool)
    assert not pool.is_open


def test_never_more_than_the_limit_at_once() -> None:
    pool = RapiPool(3, acquire_timeout=120)
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with pool.place():
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == 0
    assert most <= 3
