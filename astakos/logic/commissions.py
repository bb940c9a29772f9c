"""Issuing, accepting and rejecting changes of holdings (identity contract 2.1, 2.5).

Every function joins the transaction it is called in, so that a change and its quota commit together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from django.conf import settings
from django.db import connection

from astakos.logic import ledger_portable, ledger_postgres
from astakos.logic.ledger import CommissionRequest, Issued, Key, ProvisionRequest, Resolved, refusal
from astakos.models import Commission, Provision
from synnefo import clock
from synnefo.db import prepared
from synnefo.db.locks import atomic, bound_lock_waits, retry_on_deadlock
from synnefo.errors import BadRequest, NotFound, SynnefoError
from synnefo.units import INF

#: More than this in one commission is a mistake of the caller.
MAX_PROVISIONS = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one serial of a bulk resolution was left alone."""

    serial: int
    code: int
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The outcome of resolving several commissions."""

    accepted: tuple[int, ...]
    rejected: tuple[int, ...]
    failed: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class PendingCommission:
    """A commission that waits for its outcome."""

    serial: int
    name: str
    clientkey: str
    issue_time: dt.datetime
    provisions: tuple[ProvisionRequest, ...]


def _ledger() -> ModuleType:
    return ledger_postgres if connection.vendor == "postgresql" else ledger_portable


@contextmanager
def _joined() -> Iterator[None]:
    """Run in the caller's transaction, or in a new one when there is none.

    Not a savepoint: a ledger checks before it writes, so a refusal leaves nothing to undo. PostgreSQL's
    ledger is one statement, which is a transaction by itself: saying so takes two round trips more.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql" and settings.DATABASE_PREPARED_STATEMENTS:
        bound_lock_waits()
        yield
    else:
        with atomic():
            yield


def merge(provisions: Sequence[ProvisionRequest]) -> tuple[ProvisionRequest, ...]:
    """Return *provisions* with equal keys summed, in order of first appearance.

    Raises ``BadRequest`` when there are too many or a sum leaves the range of a quantity.
    """
    if len(provisions) > MAX_PROVISIONS:
        raise BadRequest(f"A commission has at most {MAX_PROVISIONS} provisions, not {len(provisions)}")
    totals: dict[Key, int] = {}
    for provision in provisions:
        totals[provision.key] = totals.get(provision.key, 0) + provision.quantity
    for (_, _, resource), quantity in totals.items():
        if abs(quantity) > INF:
            raise BadRequest(f"The quantity {quantity} of {resource} is out of range")
    return tuple(ProvisionRequest(*key, quantity) for key, quantity in totals.items())


@retry_on_deadlock
def issue(
    *,
    clientkey: str,
    name: str,
    provisions: Sequence[ProvisionRequest],
    force: bool = False,
    auto_accept: bool = False,
    first: Sequence[prepared.Statement] = (),
) -> int:
    """Reserve what *provisions* ask for and return the serial of the pending commission.

    The statements *first* are executed before it.

    All or nothing. *force* ignores limits (never the floor of zero); *auto_accept* resolves at once.
    Raises ``OverLimit`` (data: NoCapacityError, NoQuantityError) or ``NotFound`` (NoHoldingError).
    """
    request = CommissionRequest(
        clientkey=clientkey,
        name=name,
        issue_time=clock.now(),
        provisions=merge(provisions),
        force=force,
        auto_accept=auto_accept,
    )
    with _joined():
        issued: Issued = _ledger().issue(request, first)
    if issued.serial is None:
        raise _first_refusal(request, issued)
    return issued.serial


def _first_refusal(request: CommissionRequest, issued: Issued) -> SynnefoError:
    for provision in request.provisions:
        error = refusal(provision, issued.holdings.get(provision.key), force=request.force)
        if error is not None:
            return error
    raise AssertionError("a ledger refused what its own holdings admit")


@retry_on_deadlock
def resolve(*, clientkey: str, accept: Sequence[int] = (), reject: Sequence[int] = ()) -> Resolution:
    """Accept and reject pending commissions of *clientkey* in one transaction.

    Serials in both lists and serials that are not pending end up in ``failed``; nothing raises.
    """
    accepting, rejecting = set(accept), set(reject)
    conflicting = accepting & rejecting
    with _joined():
        resolved: Resolved = _ledger().resolve(
            clientkey=clientkey,
            accept=_possible(accepting - conflicting),
            reject=_possible(rejecting - conflicting),
        )
    missing = (accepting | rejecting) - {*resolved.accepted, *resolved.rejected} - conflicting
    failures = [
        Failure(serial, 404, "itemNotFound", f"serial {serial} does not exist") for serial in sorted(missing)
    ]
    failures += [
        Failure(serial, 400, "badRequest", f"cannot both accept and reject serial {serial}")
        for serial in sorted(conflicting)
    ]
    return Resolution(resolved.accepted, resolved.rejected, tuple(failures))


def _possible(serials: set[int]) -> list[int]:
    """Return those of *serials* that a column can hold."""
    return sorted(serial for serial in serials if 0 <= serial <= INF)


def pending(*, clientkey: str, older_than: int = 0) -> list[int]:
    """Return the serials of *clientkey*'s commissions that have been pending for ``older_than`` seconds."""
    rows = Commission.objects.filter(clientkey=clientkey)
    if older_than:
        rows = rows.filter(issue_datetime__lte=clock.now() - dt.timedelta(seconds=older_than))
    return list(rows.order_by("serial").values_list("serial", flat=True))


def show(*, serial: int, clientkey: str | None = None) -> PendingCommission:
    """Return one pending commission, of *clientkey* unless that is ``None``; raises ``NotFound``."""
    found = Commission.objects.filter(pk=serial) if 0 <= serial <= INF else Commission.objects.none()
    commission = (found if clientkey is None else found.filter(clientkey=clientkey)).first()
    if commission is None:
        raise NotFound(f"serial {serial} does not exist")
    provisions = Provision.objects.filter(commission=commission).select_related("holding").order_by("id")
    return PendingCommission(
        serial=commission.serial,
        name=commission.name,
        clientkey=commission.clientkey,
        issue_time=commission.issue_datetime,
        provisions=tuple(
            ProvisionRequest(p.holding.holder, p.holding.source, p.holding.resource, p.quantity)
            for p in provisions
        ),
    )
