"""What administrators ask about accounts, and quota set for many at once (object-storage contract 20.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from astakos import public as astakos
from pithos.logic import statistics
from pithos.logic.account_removal import require_account
from pithos.logic.nodes import later_than
from pithos.logic.quota import RESOURCE
from pithos.models import ContainerPolicy, Node
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest

_BATCH = 1000
_MAX_QUOTA = 2**63 - 1


@dataclass(slots=True)
class QuotaChange:
    """Accounts whose container has the new quota, and those that have no such container."""

    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def accounts() -> list[str]:
    """Return the names of all accounts, sorted."""
    return list(Node.objects.filter(parent=None).order_by("name").values_list("name", flat=True))


def lookalikes() -> list[list[str]]:
    """Return groups of accounts whose names differ in case only."""
    groups: dict[str, list[str]] = {}
    for name in accounts():
        groups.setdefault(name.lower(), []).append(name)
    return [names for _, names in sorted(groups.items()) if len(names) > 1]


def quota_lines() -> Iterator[str]:
    """Yield ``<uuid> <resource> <bytes>`` with every account's limit in its user's own project."""
    names = accounts()
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        for quota in astakos.service_quotas(resources=[RESOURCE], users=batch):
            if quota.project == quota.user:
                yield f"{quota.user} {RESOURCE} {quota.limit}"


@retry_on_deadlock
def set_container_quota(
    credentials: Credentials, *, container: str, quota: int, account: str | None = None, dry: bool = False
) -> QuotaChange:
    """Set the quota policy (bytes, 0 unlimited) of one container name in one account or in all.

    Raises NotFound for an account that does not exist, BadRequest for a quota out of range.
    """
    if not 0 <= quota <= _MAX_QUOTA:
        raise BadRequest("The quota must be a number of bytes, 0 for unlimited.")
    names = accounts() if account is None else [require_account(account).name]
    with atomic():
        nodes = Node.objects.filter(name=container, parent__isnull=False, parent__parent=None)
        if account is not None:
            nodes = nodes.filter(parent__name=account)
        rows = list(nodes.select_related("parent")) if dry else lock_rows(nodes.select_related("parent"))
        having = {row.parent.name for row in rows if row.parent is not None}
        if not dry:
            ContainerPolicy.objects.filter(node__in=[row.pk for row in rows]).update(quota=quota)
            now = later_than(None)
            for row in rows:
                statistics.touch(row, now)
                audit.record(credentials, "container.update", f"container:{row.pk}", quota=quota)
    return QuotaChange(sorted(having), [name for name in names if name not in having])
