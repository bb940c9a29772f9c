"""The order in which processes are given the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scheduling import BETWEEN, LONG, UNITS, order, unit_of

pytestmark = pytest.mark.unit
PROJECT = Path(__file__).parents[2]


def test_modules_that_share_a_cluster_are_one_unit() -> None:
    assert unit_of("tests/e2e/test_kamaki.py::a") == unit_of("tests/e2e/test_chaos.py::b[1]")
    assert unit_of("tests/e2e/test_chaos.py::test_a") == "chaos"
    assert unit_of("tests/pithos/test_object_api.py::test_a[x::y]") == "tests/pithos/test_object_api.py"


def test_long_units_begin_early_with_short_ones_between() -> None:
    places = order([f"m{number}" for number in range(100)] + list(reversed(LONG)))
    by_place = sorted(places, key=places.__getitem__)
    assert by_place[:2] == list(LONG[:2])
    assert [unit for unit in by_place if unit in LONG] == list(LONG)
    assert by_place[2 : 2 + BETWEEN + 1] == [f"m{number}" for number in range(BETWEEN)] + [LONG[2]]


def test_every_long_unit_has_tests() -> None:
    assert set(UNITS.values()) <= set(LONG)
    modules = set(LONG) - set(UNITS.values())
    assert all((PROJECT / module).is_file() for module in modules)
    assert all(unit_of(f"{module}::test") == module for module in modules)
