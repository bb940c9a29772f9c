"""What containers hold, counted by deltas (object-storage contract 18)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce, Greatest

from pithos.models import Node, Statistics


@dataclass(frozen=True)
class Delta:
    """How many versions (and bytes) a change adds to each standing; negative numbers take away."""

    current_count: int = 0
    current_bytes: int = 0
    history_count: int = 0
    history_bytes: int = 0
    deleted_count: int = 0

    def __add__(self, other: Delta) -> Delta:
        return Delta(
            self.current_count + other.current_count,
            self.current_bytes + other.current_bytes,
            self.history_count + other.history_count,
            self.history_bytes + other.history_bytes,
            self.deleted_count + other.deleted_count,
        )


def apply(container: Node, delta: Delta, at: datetime) -> None:
    """Add ``delta`` to a container's sums and note the time of the change."""
    Statistics.objects.filter(pk=container.pk).update(
        current_count=F("current_count") + delta.current_count,
        current_bytes=F("current_bytes") + delta.current_bytes,
        history_count=F("history_count") + delta.history_count,
        history_bytes=F("history_bytes") + delta.history_bytes,
        deleted_count=F("deleted_count") + delta.deleted_count,
        modified=Greatest(F("modified"), at),
    )


def touch(node: Node, at: datetime) -> None:
    """Note that something in a container, or an account itself, changed."""
    Statistics.objects.filter(pk=node.pk).update(modified=Greatest(F("modified"), at))


@dataclass(frozen=True)
class AccountTotals:
    """What an account holds: containers, bytes, and when anything in it changed."""

    containers: int
    bytes: int
    modified: datetime | None


def account_totals(account: Node) -> AccountTotals:
    """Sum an account's containers. One query."""
    rows = Statistics.objects.filter(node__parent=account).aggregate(
        total=Coalesce(Sum("current_bytes"), 0), latest=Max("modified")
    )
    count = Node.objects.filter(parent=account, is_live=True).count()
    own = account.statistics.modified
    latest = rows["latest"]
    return AccountTotals(count, rows["total"], own if latest is None else max(own, latest))
