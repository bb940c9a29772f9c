"""Many requests in one test, none of which sees what another wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

_Result = TypeVar("_Result")


def undone(call: Callable[[], _Result]) -> _Result:
    """Return what *call* returns, with what it wrote to the database taken back."""
    with transaction.atomic():
        result = call()
        transaction.set_rollback(True)
    return result
