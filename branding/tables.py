"""Lists as their reader wants them: which columns, which order, how many rows (web contract 1.8, 6.3).

What is shown and how many rows are remembered with the other preferences; order and filters are in the
address, so that a link to a list shows the same list to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from branding import preferences

#: Parameters of an address that say where in the list one is; another order starts at the beginning.
_PLACE = ("before", "after", "page")
#: What a reader may choose as rows of a page.
PER_PAGE = (25, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list; ``sort`` is the name of its order, a leading ``-`` means descending at first.

    A ``fixed`` column cannot be hidden; ``label`` may be a lazy translation.
    """

    key: str
    label: Any
    sort: str = ""
    fixed: bool = False
    number: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column that is shown; ``query`` sorts by it, ``direction`` says if that is the order."""

    label: Any
    number: bool
    query: str
    direction: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A column that can be hidden."""

    key: str
    label: Any
    shown: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on; ``query`` is the list without it."""

    label: str
    query: str


class Table:
    """The columns of the list *name* for the reader of *request*, sorted by *sort*."""

    def __init__(self, request: HttpRequest, name: str, columns: Sequence[Column], *, sort: str = "") -> None:
        hidden = preferences.of_request(request).hidden_columns(name)
        self.name = name
        self._request = request
        self._sort = sort
        self._columns = columns
        self.shown = {column.key: column.fixed or column.key not in hidden for column in columns}

    @property
    def choices(self) -> list[Choice]:
        """Return the columns that can be hidden."""
        return [
            Choice(column.key, column.label, self.shown[column.key])
            for column in self._columns
            if not column.fixed
        ]

    @property
    def heads(self) -> list[Head]:
        """Return the heads of the columns that are shown."""
        return [self._head(column) for column in self._columns if self.shown[column.key]]

    def _head(self, column: Column) -> Head:
        key = column.sort.lstrip("-")
        if not key:
            return Head(column.label, column.number, "", "")
        direction = {key: "ascending", f"-{key}": "descending"}.get(self._sort, "")
        following = {"ascending": f"-{key}", "descending": key}.get(direction, column.sort)
        query = self._request.GET.copy()
        for name in _PLACE:
            query.pop(name, None)
        query["sort"] = following
        return Head(column.label, column.number, query.urlencode(), direction)

    @property
    def per_page(self) -> int:
        """Return how many rows the reader chose before, 0 for no choice."""
        return preferences.of_request(self._request).per_page

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return what may be chosen as rows of a page."""
        return PER_PAGE


def chips(request: HttpRequest, filters: Iterable[tuple[str, str]]) -> list[Chip]:
    """Return a chip for each of *filters*, (parameter, text), that the address has a value for."""
    found = []
    for name, label in filters:
        if not request.GET.get(name):
            continue
        query = request.GET.copy()
        for parameter in (name, *_PLACE):
            query.pop(parameter, None)
        found.append(Chip(label, query.urlencode()))
    return found
