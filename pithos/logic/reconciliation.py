"""Comparing what objects take with what the quota holder believes (object-storage contract 17, 20.4)."""

from __future__ import annotations

from django.db.models import Sum

from astakos import public as astakos
from pithos.logic import versions
from pithos.logic.quota import CLIENT_KEY, RESOURCE
from pithos.models import Cluster, Version
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.consistent_reads import consistent_read
from synnefo.db.locks import atomic

#: Commissions younger than the longest request may still be resolved by it (seconds).
MIN_AGE = 600


def compare(*, user: str | None = None, project: str | None = None) -> astakos.Recount:
    """Compare the objects of one user (or all), charged to one project (or all), with the holdings."""
    with consistent_read():
        counted = _counted(user, project)
        return astakos.compare_holdings(counted, resources=[RESOURCE], user=user, project=project)


def _counted(user: str | None, project: str | None) -> dict[tuple[str, str, str], int]:
    """Return the bytes that are to be charged to each user and project, by the rule of ``versions.cost``."""
    rows = Version.objects.filter(node__parent__parent__isnull=False)
    if user is not None:
        rows = rows.filter(node__parent__parent__name=user)
    if project is not None:
        rows = rows.filter(node__parent__policy__project=project)
    charged = [rows.filter(cluster=Cluster.CURRENT)]
    if not versions.is_history_free():
        charged.append(versions.charged_history(rows))
    counted: dict[tuple[str, str, str], int] = {}
    for part in charged:
        sums = (
            part.order_by()
            .values_list("node__parent__parent__name", "node__parent__policy__project")
            .annotate(total=Sum("size"))
        )
        for owner, source, total in sums:
            key = (owner, source, RESOURCE)
            counted[key] = counted.get(key, 0) + total
    return counted


def correct(credentials: Credentials, *, found: astakos.Recount, force: bool = False) -> None:
    """Bring the holdings to the counted bytes, all or nothing; raises OverLimit unless ``force``."""
    astakos.correct_holdings(
        credentials,
        clientkey=CLIENT_KEY,
        name="reconcile-resources-pithos",
        unsynced=found.unsynced,
        force=force,
    )


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
