"""The quota of applications that await review (identity contract 3.4)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from django.db.models import Count, F

from astakos.logic import commissions, recounts
from astakos.logic.ledger import ProvisionRequest
from astakos.logic.limits import project_holder, user_holder
from astakos.models import ApplicationState, Holding, ProjectApplication, Resource, User
from synnefo.credentials import Credentials
from synnefo.db.consistent_reads import consistent_read
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


def recount(*, user: str | None = None, project: str | None = None) -> recounts.Recount:
    """Compare the holdings of pending applications, of one user or charged to one project, with the rows."""
    chosen = {uuid for uuid in (user, project) if uuid is not None}
    with consistent_read():
        pending = ProjectApplication.objects.filter(state=ApplicationState.PENDING)
        numbers = pending.order_by().values_list("applicant__uuid").annotate(count=Count("pk"))
        # Applications are charged to the applicant's system project only.
        counted = {(uuid, uuid, RESOURCE): count for uuid, count in numbers if chosen <= {uuid}}
        return recounts.compare(counted, resources=[RESOURCE], user=user, project=project)


def correct(credentials: Credentials, *, found: recounts.Recount, force: bool = False) -> None:
    """Bring what ``recount`` found to the counted numbers, all or nothing.

    Raises ``OverLimit`` when that passes a limit, unless *force*.
    """
    name = "reconcile-resources-astakos"
    recounts.correct(credentials, clientkey=CLIENT_KEY, name=name, unsynced=found.unsynced, force=force)
