"""The quota of applications that await review (identity contract 3.4)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q

from astakos.logic import commissions
from astakos.logic.ledger import ProvisionRequest
from astakos.logic.limits import project_holder, user_holder
from astakos.models import ApplicationState, Holding, ProjectApplication, Resource, User
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic
from synnefo.errors import Conflict, NotFound, OverLimit

log = logging.getLogger("astakos.projects")

RESOURCE = "astakos.pending_app"
CLIENT_KEY = "astakos"


def _provisions(changes: Counter[str]) -> list[ProvisionRequest]:
    requests = []
    for uuid, quantity in sorted(changes.items()):
        if quantity:
            source = project_holder(uuid)
            requests.append(ProvisionRequest(user_holder(uuid), source, RESOURCE, quantity))
            requests.append(ProvisionRequest(source, None, RESOURCE, quantity))
    return requests


def charge(*, submitter: User, replaced: Sequence[User], force: bool) -> None:
    """Charge one application to *submitter* and give back those that it replaces, by their applicants.

    Runs in the caller's transaction. Raises ``Conflict`` when the submitter has too many pending already.
    """
    changes = Counter({submitter.uuid: 1})
    changes.subtract(user.uuid for user in replaced)
    _apply(changes, force=force)


def release(*, applicant: User) -> None:
    """Give back one application of *applicant* that was answered. Runs in the caller's transaction."""
    _apply(Counter({applicant.uuid: -1}), force=True)


def _apply(changes: Counter[str], *, force: bool) -> None:
    provisions = _provisions(changes)
    if not provisions:
        return
    if not Resource.objects.filter(name=RESOURCE).exists():
        log.warning("the resource %s is not registered, so pending applications are not limited", RESOURCE)
        return
    try:
        commissions.issue(
            clientkey=CLIENT_KEY, name="project application", provisions=provisions, force=force,
            auto_accept=True,
        )  # fmt: skip
    except (OverLimit, NotFound) as error:
        if any(quantity > 0 for quantity in changes.values()):
            raise Conflict(
                "You have as many applications awaiting review as you may have; "
                "cancel one of them or wait until it is answered"
            ) from None
        # Counted before the resource existed: reconcile-resources-astakos puts it right.
        log.warning("cannot give back a pending application: %s", error)


def limit_reached(*, user_id: str) -> int | None:
    """Return the limit of this user's pending applications when it is reached, else ``None``."""
    held = Holding.objects.filter(
        holder=user_holder(user_id), source=project_holder(user_id), resource=RESOURCE
    )
    full = held.filter(usage_max__gte=F("limit")).values_list("limit", flat=True).first()
    return full


# -- recounting ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A holding whose usage is not the number of applications that await review."""

    holder: str
    source: str | None
    counted: int
    held: int

    @property
    def kind(self) -> str:
        """Return whose holding it is: ``user`` or ``project``."""
        return self.holder.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount found; ``skipped`` have a commission pending, so that their usage is about to change."""

    unsynced: tuple[Discrepancy, ...]
    skipped: tuple[Discrepancy, ...]


def recount(*, user: str | None = None, project: str | None = None) -> Recount:
    """Compare the holdings of pending applications, of one user or charged to one project, with the rows."""
    counted: dict[str, int] = dict(
        ProjectApplication.objects.filter(state=ApplicationState.PENDING)
        .order_by()
        .values_list("applicant__uuid")
        .annotate(count=Count("pk"))
    )
    holdings = Holding.objects.filter(resource=RESOURCE)
    for chosen in filter(None, (user, project)):
        project_side = project_holder(chosen)
        holdings = holdings.filter(Q(source=project_side) | Q(holder=project_side, source__isnull=True))
    if user is not None:
        holdings = holdings.filter(holder=user_holder(user))
    unsynced, skipped = [], []
    columns = holdings.order_by("pk").values_list("holder", "source", "usage_min", "usage_max")
    for holder, source, low, high in columns.iterator():
        uuid = holder.partition(":")[2]
        # Applications are charged to the applicant's system project only.
        expected = counted.get(uuid, 0) if source in (None, project_holder(uuid)) else 0
        item = Discrepancy(holder, source, expected, high)
        if low != high:
            skipped.append(item)
        elif high != expected:
            unsynced.append(item)
    return Recount(tuple(unsynced), tuple(skipped))


def correct(credentials: Credentials, *, found: Recount, force: bool = False) -> None:
    """Bring what ``recount`` found to the counted numbers, all or nothing.

    Raises ``OverLimit`` when that passes a limit, unless *force*.
    """
    provisions = [
        ProvisionRequest(item.holder, item.source, RESOURCE, item.counted - item.held)
        for item in found.unsynced
    ]
    name = f"client: reconcile-resources-astakos, time: {clock.isoformat(clock.now())}"
    with atomic():
        for start in range(0, len(provisions), commissions.MAX_PROVISIONS):
            commissions.issue(
                clientkey=CLIENT_KEY,
                name=name,
                provisions=provisions[start : start + commissions.MAX_PROVISIONS],
                force=force,
                auto_accept=True,
            )
        audit.record(credentials, "quota.reconcile", f"resource:{RESOURCE}", corrected=len(provisions))
