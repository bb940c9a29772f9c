"""Many rows at once, but never all of them: a batch bounds memory and the length of statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from django.db.models import CASCADE, Model, QuerySet

#: How many rows one statement makes, changes or removes.
BATCH = 1000

T = TypeVar("T")
M = TypeVar("M", bound=Model)


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``items`` in stretches of at most ``BATCH``."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def remove(rows: QuerySet[M]) -> None:
    """Remove rows with all that hangs on them; a few statements for each batch."""
    keys = rows.order_by("pk").values_list("pk", flat=True)
    batch = list(keys[:BATCH])
    while batch:
        remove_keys(rows.model, batch)
        # What was removed is passed over, as a database still meets it within the transaction.
        batch = list(keys.filter(pk__gt=batch[-1])[:BATCH])


def remove_keys(model: type[Model], keys: Sequence[Any]) -> None:
    """Remove the rows of these primary keys with all that hangs on them.

    Django itself would load the rows and remove a hundred with each statement.
    """
    for relation in model._meta.get_fields(include_hidden=True):
        if getattr(relation, "on_delete", None) is CASCADE and relation.auto_created:
            related: Any = relation.related_model
            related._base_manager.filter(**{f"{relation.field.name}__in": keys}).delete()  # type: ignore[union-attr]
    chosen = model._base_manager.filter(pk__in=keys)
    chosen._raw_delete(chosen.db)
