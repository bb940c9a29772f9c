"""The state of a container at a moment in the past (object-storage contract 16.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum

from pithos.models import Node, Version


@dataclass(frozen=True)
class Sums:
    """What a container held: objects, bytes, and when anything in it had last changed."""

    count: int
    bytes: int
    changed: datetime


def sums(containers: Sequence[Node], until: datetime) -> dict[int, Sums]:
    """Return what each container held at ``until``, by its key. Three queries."""
    rows = _latest(until).filter(node__parent__in=containers).order_by().values("node__parent")
    held = {
        row["node__parent"]: (row["count"], row["size"])
        for row in rows.annotate(count=Count("pk"), size=Sum("size"))
    }
    changed: dict[int, datetime] = {}
    for link in ("node", "node__parent"):
        moments = Version.objects.filter(**{f"{link}__in": containers}, mtime__lt=until).order_by()
        for key, moment in moments.values_list(link).annotate(last=Max("mtime")):
            changed[key] = max(moment, changed.get(key, moment))
    return {node.pk: Sums(*held.get(node.pk, (0, 0)), changed.get(node.pk, until)) for node in containers}


def versions(container: Node, until: datetime) -> QuerySet[Version]:
    """Return the versions that were current strictly before ``until``, with their nodes."""
    return _latest(until).filter(node__parent=container).select_related("node")


def _latest(until: datetime) -> QuerySet[Version]:
    newest = (
        Version.objects.filter(node=OuterRef("node"), mtime__lt=until)
        .order_by("-mtime", "-pk")
        .values("pk")[:1]
    )
    return Version.objects.filter(pk=Subquery(newest)).exclude(hash=None)
