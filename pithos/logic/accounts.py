"""Accounts: what they hold, their metadata and groups (object-storage contract 3, 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from django.db.models import Sum

from astakos import public as astakos
from pithos.logic import metadata, permissions, sharing, statistics
from pithos.logic.metadata import USER_DOMAIN, Limits
from pithos.logic.nodes import ensure_account, find_account, later_than
from pithos.logic.permissions import holders_of, require_owner
from pithos.logic.quota import RESOURCE
from pithos.models import Cluster, Grant, Node, Statistics, Version
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import Forbidden


@dataclass(frozen=True)
class AccountView:
    """An account as one caller sees it; sizes in bytes; for others than the owner only ``modified``."""

    modified: datetime
    is_owner: bool
    containers: int = 0
    bytes_used: int = 0
    until: datetime | None = None
    metadata: Mapping[str, str] | None = None
    groups: Mapping[str, list[str]] | None = None
    quotas: Mapping[str, int] | None = None


@dataclass(frozen=True)
class SharingAccount:
    """An account that shares something with the caller."""

    name: str
    modified: datetime


def show_account(credentials: Credentials, *, account: str, until: datetime | None = None) -> AccountView:
    """Return what HEAD of an account shows; the owner's first request makes the account."""
    if not permissions.is_owner(credentials, account):
        return _foreign(credentials, account, until)
    node = ensure_account(account)
    totals = statistics.account_totals(node)
    used, quotas = _quotas(account)
    view = AccountView(
        modified=totals.modified or node.statistics.modified,
        is_owner=True,
        containers=totals.containers,
        bytes_used=totals.bytes if used is None else used,
        metadata=_metadata_at(node, until),
        groups=sharing.groups_of(account),
        quotas=quotas,
    )
    return view if until is None else _at(node, view, until)


def object_count(account: str) -> int:
    """Return how many objects an account's containers hold. One query."""
    rows = Statistics.objects.filter(node__parent__name=account, node__parent__parent=None)
    return int(rows.aggregate(count=Sum("current_count"))["count"] or 0)


def _foreign(credentials: Credentials, account: str, until: datetime | None) -> AccountView:
    node = find_account(account)
    if node is None or until is not None or not _shares(account, holders_of(credentials.user_id)):
        raise Forbidden("You may not see this account.")
    modified = statistics.account_totals(node).modified
    return AccountView(modified=modified or node.statistics.modified, is_owner=False)


def _shares(account: str, holders: frozenset[str]) -> bool:
    return Grant.objects.filter(node__parent__parent__name=account, holder__in=holders).exists()


def _quotas(account: str) -> tuple[int | None, dict[str, int]]:
    """Return bytes used over all projects, None if the user has no quota yet, and the limit by project."""
    found = astakos.service_quotas(users=[account], resources=[RESOURCE])
    limits = {quota.project: quota.limit for quota in found}
    return (sum(quota.usage for quota in found) if found else None), limits


def _metadata_at(node: Node, until: datetime | None) -> dict[str, str]:
    versions = Version.objects.filter(node=node)
    if until is None:
        version = versions.filter(cluster=Cluster.CURRENT).first()
    else:
        version = versions.filter(mtime__lt=until).order_by("-mtime", "-pk").first()
    return metadata.of_version(version).get(USER_DOMAIN, {}) if version else {}


def _at(node: Node, view: AccountView, until: datetime) -> AccountView:
    """Return the view as of a moment in the past; groups and quotas stay those of now (contract 4.1)."""

    containers = Version.objects.filter(
        node__parent=node, mtime__lt=until, source=None, cluster__in=[Cluster.CURRENT, Cluster.HISTORY]
    )
    last = (
        Version.objects.filter(node__parent__parent=node, mtime__lt=until)
        .order_by("-mtime")
        .values_list("mtime", flat=True)
        .first()
    )
    own = (
        Version.objects.filter(node=node, mtime__lt=until)
        .order_by("-mtime")
        .values_list("mtime", flat=True)
        .first()
    )
    moments = [moment for moment in (last, own) if moment is not None]
    return replace(
        view, containers=containers.values("node").distinct().count(), until=max(moments, default=until)
    )


@retry_on_deadlock
def update_account(
    credentials: Credentials,
    *,
    account: str,
    items: Mapping[str, str],
    groups: Mapping[str, list[str]],
    merge: bool,
    limits: Limits | None = None,
) -> None:
    """Change groups, if any are named, and metadata: merged, or replaced as a whole (contract 4.3)."""
    require_owner(credentials, account)
    with atomic():
        node = ensure_account(account)
        lock_one(Node.objects.filter(pk=node.pk))
        if groups:
            sharing.set_groups(account, groups, replace=not merge)
        if items or not merge:
            set_metadata(node, items, merge=merge, muser=credentials.user_id or account, limits=limits)
        statistics.touch(node, later_than(None))
        audit.record(credentials, "account.update", f"account:{account}"[:255], groups=sorted(groups))


def set_metadata(
    node: Node, items: Mapping[str, str], *, merge: bool, muser: str, limits: Limits | None = None
) -> None:
    """Give a locked account or container a version with changed metadata."""
    current = Version.objects.filter(node=node, cluster=Cluster.CURRENT).first()
    domains = metadata.of_version(current) if current else {}
    old = domains.get(USER_DOMAIN, {})
    domains[USER_DOMAIN] = metadata.merged(old, items) if merge else metadata.replaced(items)
    metadata.check(domains[USER_DOMAIN], limits)
    if domains[USER_DOMAIN] == old:
        return
    if current:
        Version.objects.filter(pk=current.pk).update(cluster=Cluster.HISTORY)
        metadata.retire(current)
    version = Version.objects.create(
        node=node,
        mtime=later_than(current.mtime if current else None),
        muser=muser,
        uuid=current.uuid if current else str(uuid4()),
        source=current.pk if current else None,
    )
    metadata.store(version, node, domains)


def list_sharing_accounts(credentials: Credentials, *, marker: str, limit: int) -> list[SharingAccount]:
    """Return the accounts that share something with the caller, by name (contract 3)."""
    holders = holders_of(credentials.user_id)
    granted = Grant.objects.filter(holder__in=holders).values("node__parent__parent")
    accounts = (
        Node.objects.filter(pk__in=granted, parent=None, name__gt=marker)
        .exclude(name=credentials.user_id)
        .select_related("statistics")
        .order_by("name")[:limit]
    )
    return [SharingAccount(node.name, node.statistics.modified) for node in accounts]
