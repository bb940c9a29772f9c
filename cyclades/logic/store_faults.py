"""The object store's own faults in the words of the image and volume services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synnefo.errors import OverLimit


@contextmanager
def plain_faults() -> Iterator[None]:
    """Call the store's quota fault, which has a name of its own for the store's clients, by its usual one."""
    try:
        yield
    except OverLimit as error:
        raise OverLimit(error.message, details=error.details) from error
