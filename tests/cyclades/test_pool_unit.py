"""The bit maps of pools against an oracle that keeps sets (network contract 8)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclades.logic import pools
from cyclades.logic.pools import (
    AddressValues,
    BitPool,
    BridgeValues,
    InvalidValue,
    MacPrefixValues,
    PoolExhausted,
    ValueNotAvailable,
)

pytestmark = pytest.mark.unit

_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["first", "take", "give", "reserve", "unreserve", "resize", "store"]),
        st.integers(0, 40),
    ),
    max_size=60,
)


class Oracle:
    """The same pool as two sets of indexes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used: set[int] = set()
        self.reserved: set[int] = set()

    def free(self) -> list[int]:
        return [i for i in range(self.size) if i not in self.used and i not in self.reserved]


def _apply(pool: BitPool, oracle: Oracle, action: str, number: int) -> BitPool:
    if action == "store":
        return BitPool(pool.size, pool.available_map, pool.reserved_map)
    if action == "resize":
        wanted = max(number, 1)
        if any(index >= wanted for index in oracle.used):
            with pytest.raises(ValueNotAvailable):
                pool.resize(wanted)
        else:
            pool.resize(wanted)
            oracle.size = wanted
            oracle.reserved = {index for index in oracle.reserved if index < wanted}
    elif action == "first":
        free = oracle.free()
        if free:
            assert pool.take_first() == free[0]
            oracle.used.add(free[0])
        else:
            with pytest.raises(PoolExhausted):
                pool.take_first()
    elif number >= pool.size:
        method = {"take": pool.take, "give": pool.give_back, "reserve": pool.reserve}
        with pytest.raises(InvalidValue):
            method.get(action, pool.unreserve)(number)
    elif action == "take":
        if number in oracle.free():
            pool.take(number)
            oracle.used.add(number)
        else:
            with pytest.raises(ValueNotAvailable):
                pool.take(number)
    elif action == "give":
        pool.give_back(number)
        oracle.used.discard(number)
    elif action == "reserve":
        pool.reserve(number)
        oracle.reserved.add(number)
    else:
        pool.unreserve(number)
        oracle.reserved.discard(number)
    return pool


@given(st.integers(1, 40), _ACTIONS)
def test_pool_agrees_with_sets_of_indexes(size: int, actions: list[tuple[str, int]]) -> None:
    pool, oracle = BitPool(size), Oracle(size)
    for action, number in actions:
        pool = _apply(pool, oracle, action, number)
        free = set(oracle.free())
        assert pool.count_free() == len(free)
        assert pool.count_reserved() == len(oracle.reserved)
        assert pool.reserved_indexes() == sorted(oracle.reserved)
        assert pool.text() == "".join("." if i in free else "X" for i in range(oracle.size))


@given(st.integers(1, 40))
def test_padding_of_a_new_map_is_never_handed_out(size: int) -> None:
    pool = BitPool(size, base64.b64encode(b"\xff" * -(-size // 8)).decode())
    for expected in range(size):
        assert pool.take_first() == expected
    with pytest.raises(PoolExhausted):
        pool.take_first()


def test_first_index_is_the_highest_bit_of_the_first_byte() -> None:
    pool = BitPool(10)
    pool.take_first()
    assert base64.b64decode(pool.available_map) == bytes([0b01111111, 0b11000000])
    assert base64.b64decode(pool.reserved_map) == bytes([0b11111111, 0b11000000])


def test_release_of_a_value_reserved_meanwhile_does_not_free_it() -> None:
    pool = BitPool(4)
    pool.take(2)
    pool.reserve(2)
    pool.give_back(2)
    assert not pool.is_free(2)
    pool.unreserve(2)
    assert pool.is_free(2)


@pytest.mark.parametrize("text", ["%%%", "AA==", "A", "\u00e9\u00e9\u00e9\u00e9"])
def test_map_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        BitPool(12, text)


def test_default_mac_pool_has_16383_usable_networks() -> None:
    pool, values = BitPool(65536), MacPrefixValues("aa:00:0")
    pools.reserve_unusable_prefixes(pool, values)
    assert pool.count_free() == 16383
    assert values.value(pool.take_first()) == "aa:00:1"
    assert {values.value(i)[:2] for i, mark in enumerate(pool.text()) if mark == "."} == {
        "aa",
        "ae",
        "b2",
        "b6",
    }


def test_mac_prefixes_of_a_base_below_0x80_are_judged_by_their_first_octet() -> None:
    pool, values = BitPool(5000), MacPrefixValues("02:00:0")
    pools.reserve_unusable_prefixes(pool, values)
    assert {values.value(i)[:2] for i, mark in enumerate(pool.text()) if mark == "."} == {"02"}


@given(st.integers(0, 5000))
def test_values_and_indexes_are_inverse(index: int) -> None:
    for values in (BridgeValues("prv"), MacPrefixValues("aa:00:0"), AddressValues("10.0.0.0/8", 2)):
        assert values.index(values.value(index)) == index


@given(st.text(max_size=12))
def test_foreign_values_are_refused_without_a_crash(text: str) -> None:
    for values in (BridgeValues("prv"), MacPrefixValues("aa:00:0"), AddressValues("10.0.0.0/8", 2)):
        try:
            index = values.index(text)
        except InvalidValue:
            continue
        assert values.value(index) == text or isinstance(values, AddressValues)


def test_values_look_as_documented() -> None:
    assert BridgeValues("prv").value(0) == "prv1"
    assert MacPrefixValues("aa:00:0").value(1) == "aa:00:1"
    assert AddressValues("203.0.113.0/24", 2).value(0) == "203.0.113.2"


def test_only_what_is_new_is_judged_when_a_pool_grows() -> None:
    pool, values = BitPool(8192), MacPrefixValues("aa:00:0")
    pools.reserve_unusable_prefixes(pool, values, start=4096)
    assert (pool.is_reserved(0), pool.is_reserved(4095), pool.count_free()) == (False, False, 4096)
