"""Comparing what a service counts with the holdings, and correcting these (object-storage contract 20.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from astakos.logic import commissions, quotas
from astakos.logic.ledger import ProvisionRequest
from astakos.logic.limits import project_holder, user_holder
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic

#: What a service counted: (user, project, resource) to amount.
Counted = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A holding whose usage is not what was counted; ``user`` None for a project's own."""

    user: str | None
    project: str
    resource: str
    counted: int
    held: int

    @property
    def kind(self) -> str:
        """Return whose holding it is."""
        return "project" if self.user is None else "user"

    @property
    def holder(self) -> str:
        """Return the holder as the quota holder names it."""
        return project_holder(self.project) if self.user is None else user_holder(self.user)

    @property
    def source(self) -> str | None:
        """Return what the holding draws from; a project's own draws from nothing."""
        return None if self.user is None else project_holder(self.project)


@dataclass(frozen=True, slots=True)
class Recount:
    """What a comparison found.

    ``skipped`` have a commission pending, so that their usage is about to change; ``unknown`` were counted
    and have no holding at all; ``holdings`` counts those that were looked at.
    """

    unsynced: list[Discrepancy] = field(default_factory=list)
    skipped: list[Discrepancy] = field(default_factory=list)
    unknown: list[Discrepancy] = field(default_factory=list)
    holdings: int = 0


def compare(
    counted: Counted, *, resources: Collection[str], user: str | None = None, project: str | None = None
) -> Recount:
    """Compare *counted* with the holdings of *resources* of one user (or all) in one project (or all).

    A project's own holding has what all its members use, so it is compared when no *user* is named. Read what
    is counted and call this within one ``consistent_read``.
    """
    users = None if user is None else [user]
    projects = None if project is None else [project]
    held = quotas.service_quotas(resources=resources, users=users, projects=projects)
    own = quotas.project_quotas(resources=resources, projects=projects) if user is None else []
    left = dict(counted)
    totals: dict[tuple[str, str], int] = defaultdict(int)
    if user is None:
        for (_, source, resource), amount in counted.items():
            totals[source, resource] += amount
    found = Recount(holdings=len(held) + len(own))
    for quota in held:
        amount = left.pop((quota.user, quota.project, quota.resource), 0)
        item = Discrepancy(quota.user, quota.project, quota.resource, amount, quota.usage)
        _sort_in(found, item, quota.pending)
    for row in own:
        amount = totals.pop((row.project, row.resource), 0)
        _sort_in(found, Discrepancy(None, row.project, row.resource, amount, row.usage), row.pending)
    found.unknown.extend(Discrepancy(*key, amount, 0) for key, amount in sorted(left.items()) if amount)
    found.unknown.extend(
        Discrepancy(None, *key, amount, 0) for key, amount in sorted(totals.items()) if amount
    )
    return found


def _sort_in(found: Recount, item: Discrepancy, pending: int) -> None:
    if pending:
        found.skipped.append(item)
    elif item.counted != item.held:
        found.unsynced.append(item)


def correct(
    credentials: Credentials,
    *,
    clientkey: str,
    name: str,
    unsynced: Iterable[Discrepancy],
    force: bool = False,
) -> None:
    """Bring holdings to what was counted, all or nothing; by differences, so that nothing else is lost.

    *name* begins the commission's. Raises OverLimit when that passes a limit, unless *force*.
    """
    items = sorted(unsynced, key=lambda item: (item.holder, item.source or "", item.resource))
    provisions = [
        ProvisionRequest(item.holder, item.source, item.resource, item.counted - item.held) for item in items
    ]
    full_name = f"client: {name}, time: {clock.isoformat(clock.now())}"
    with atomic():
        for start in range(0, len(provisions), commissions.MAX_PROVISIONS):
            commissions.issue(
                clientkey=clientkey,
                name=full_name,
                provisions=provisions[start : start + commissions.MAX_PROVISIONS],
                force=force,
                auto_accept=True,
            )
        resources = ",".join(sorted({item.resource for item in items}))
        audit.record(credentials, "quota.reconcile", f"resource:{resources}", corrected=len(provisions))
