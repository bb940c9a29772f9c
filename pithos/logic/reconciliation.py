"""Comparing what objects take with what the quota holder believes (object-storage contract 17, 20.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum

from astakos import public as astakos
from pithos.logic.quota import CLIENT_KEY, RESOURCE
from pithos.models import Cluster, Version
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic

#: Commissions younger than the longest request may still be resolved by it (seconds).
MIN_AGE = 600
#: Two provisions a holding at most; the quota holder takes 500 in one commission.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A holding whose usage is not the bytes that its objects take; ``user`` None for a project's own."""

    user: str | None
    project: str
    counted: int
    held: int

    @property
    def kind(self) -> str:
        """Return whose holding it is."""
        return "project" if self.user is None else "user"

    @property
    def holder(self) -> str:
        """Return the holder as the quota holder names it."""
        return astakos.project_holder(self.project) if self.user is None else astakos.user_holder(self.user)

    @property
    def source(self) -> str | None:
        """Return what the holding draws from; a project's own draws from nothing."""
        return None if self.user is None else astakos.project_holder(self.project)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a comparison found.

    ``skipped`` have a commission pending, so that their usage is about to change; ``unknown`` take bytes and
    have no holding at all; ``holdings`` counts those that were looked at.
    """

    unsynced: list[Discrepancy] = field(default_factory=list)
    skipped: list[Discrepancy] = field(default_factory=list)
    unknown: list[Discrepancy] = field(default_factory=list)
    holdings: int = 0


def compare(*, user: str | None = None, project: str | None = None) -> Findings:
    """Compare the objects of one user (or all), charged to one project (or all), with the holdings."""
    users = None if user is None else [user]
    projects = None if project is None else [project]
    with _snapshot():
        counted = _counted_by_user(user, project)
        held = astakos.service_quotas(resources=[RESOURCE], users=users, projects=projects)
        totals: dict[str, int] = {}
        own = []
        if user is None:
            # A project's own holding has the bytes of all its members.
            for (_, source), size in counted.items():
                totals[source] = totals.get(source, 0) + size
            own = astakos.project_quotas(resources=[RESOURCE], projects=projects)
    findings = Findings(holdings=len(held) + len(own))
    for quota in held:
        size = counted.pop((quota.user, quota.project), 0)
        _sort_in(findings, Discrepancy(quota.user, quota.project, size, quota.usage), quota.pending)
    for row in own:
        item = Discrepancy(None, row.project, totals.pop(row.project, 0), row.usage)
        _sort_in(findings, item, row.pending)
    findings.unknown.extend(Discrepancy(*key, size, 0) for key, size in sorted(counted.items()) if size)
    findings.unknown.extend(Discrepancy(None, key, size, 0) for key, size in sorted(totals.items()) if size)
    return findings


def _sort_in(findings: Findings, item: Discrepancy, pending: int) -> None:
    if pending:
        findings.skipped.append(item)
    elif item.counted != item.held:
        findings.unsynced.append(item)


@contextmanager
def _snapshot() -> Iterator[None]:
    """Read objects and holdings of one moment: a change writes both in one transaction."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _counted_by_user(user: str | None, project: str | None) -> dict[tuple[str, str], int]:
    """Return the bytes that are to be charged by (user, project). One query over the versions."""
    clusters = [Cluster.CURRENT]
    if not settings.PITHOS_BACKEND_FREE_VERSIONING:
        clusters.append(Cluster.HISTORY)
    rows = Version.objects.filter(cluster__in=clusters, node__parent__parent__isnull=False)
    if user is not None:
        rows = rows.filter(node__parent__parent__name=user)
    if project is not None:
        rows = rows.filter(node__parent__policy__project=project)
    sums = (
        rows.order_by()
        .values_list("node__parent__parent__name", "node__parent__policy__project")
        .annotate(size=Sum("size"))
    )
    return {(owner, source): size for owner, source, size in sums}


def correct(credentials: Credentials, *, found: Findings, force: bool = False) -> None:
    """Bring the holdings to the counted bytes, all or nothing; differences, so that nothing else is lost.

    Raises OverLimit when that passes a limit, unless ``force``.
    """
    provisions = [
        astakos.Provision(item.holder, item.source, RESOURCE, item.counted - item.held)
        for item in found.unsynced
    ]
    name = f"client: reconcile-resources-pithos, time: {clock.isoformat(clock.now())}"
    with atomic():
        for start in range(0, len(provisions), _BATCH):
            astakos.issue_commission(
                clientkey=CLIENT_KEY,
                name=name,
                provisions=provisions[start : start + _BATCH],
                force=force,
                auto_accept=True,
            )
        audit.record(credentials, "quota.reconcile", f"resource:{RESOURCE}", corrected=len(provisions))


def stale_commissions(*, older_than: int = MIN_AGE) -> list[int]:
    """Return pending commissions of this service that no running request can still resolve.

    Objects and their charges commit together and the commission is accepted with them, so nothing that is
    pending has data: what is left belongs to something that never happened (contract 17.2).
    """
    return astakos.pending_commissions(clientkey=CLIENT_KEY, older_than=older_than)


def reject(credentials: Credentials, *, serials: list[int]) -> astakos.Resolution:
    """Reject commissions and return what became of them."""
    with atomic():
        resolution = astakos.resolve_commissions(clientkey=CLIENT_KEY, reject=serials)
        audit.record(credentials, "quota.reject", f"resource:{RESOURCE}", serials=list(resolution.rejected))
    return resolution
