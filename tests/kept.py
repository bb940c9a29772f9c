"""Rows that all tests of a module look at, made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Keep what the fixtures of a module write for all of its tests, which undo only their own.

    A transaction goes around all of the module's tests, whose own transactions become savepoints in it. Tests
    that really commit have no place in such a module.
    """
    with django_db_blocker.unblock():
        around = transaction.atomic()
        around._from_testcase = True  # Django's own tests nest in the same way
        with around:
            yield
            transaction.set_rollback(True)
        cache.clear()
