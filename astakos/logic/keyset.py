"""Lists that go on behind the last row that was shown, in any order (web contract 1.8).

The place in a list is the primary key of its last row. Where another field orders the list, the database
looks up that row's value, so a page in the middle costs what the first one costs.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet, Subquery

M = TypeVar("M", bound=Model)
#: Lists say how long they are up to here; counting more would make long lists slow.
MAX_COUNTED = 1000


def behind(
    rows: QuerySet[M],
    *,
    among: QuerySet[M],
    field: str,
    descending: bool = False,
    after: int | None = None,
) -> QuerySet[M]:
    """Return *rows* ordered by *field*, then key, from behind the row with the key *after*.

    *among* are the rows that the reader may see, whatever was chosen of them: the place may be a row that
    has left the list meanwhile, and is never one whose value the order would betray. Nothing is behind a
    row that is gone, unless the order is by key.
    """
    sign, side = ("-", "lt") if descending else ("", "gt")
    if field == "pk":
        found = rows if after is None else rows.filter(**{f"pk__{side}": after})
        return found.order_by(f"{sign}pk")
    if after is not None:
        value = Subquery(among.filter(pk=after).order_by().values(field)[:1])
        further = Q(**{f"{field}__{side}": value})
        rows = rows.filter(further | Q(**{field: value, f"pk__{side}": after}))
    return rows.order_by(f"{sign}{field}", f"{sign}pk")


def count(rows: QuerySet[M]) -> int:
    """Return how many *rows* there are, ``MAX_COUNTED + 1`` for more than ``MAX_COUNTED``."""
    return rows.order_by().values("pk")[: MAX_COUNTED + 1].count()
