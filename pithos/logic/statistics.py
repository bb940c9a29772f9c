"""What containers hold, counted by deltas (object-storage contract 18)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce, Greatest

from pithos.models import Node, Statistics
from synnefo.db import prepared


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


_APPLY = """
UPDATE pithos_statistics
   SET current_count = current_count + %s, current_bytes = current_bytes + %s,
       history_count = history_count + %s, history_bytes = history_bytes + %s,
       deleted_count = deleted_count + %s, modified = {latest}(modified, %s)
 WHERE node_id = %s RETURNING current_bytes
"""


def apply(container: Node, delta: Delta, at: datetime) -> int:
    """Add ``delta`` to a container's sums, note the time of the change, and return its current bytes."""
    return int(prepared.execute_all(applying(container, delta, at))[0][0])


def applying(container: Node, delta: Delta, at: datetime) -> tuple[str, list[object]]:
    """Return the statement of ``apply`` for those who send it along with others."""
    latest = "GREATEST" if connection.vendor == "postgresql" else "max"
    sums = [
        delta.current_count, delta.current_bytes, delta.history_count, delta.history_bytes,
        delta.deleted_count,
    ]  # fmt: skip
    moment = connection.ops.adapt_datetimefield_value(at)
    return _APPLY.format(latest=latest), [*sums, moment, container.pk]


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
