"""The quota holder's algorithm: issue, accept and reject changes of holdings (identity contract 2.1, 2.5).

Every function joins the transaction it is called in, so that a change and its quota commit together.
Holdings are locked in primary-key order, checked, then changed by one relative UPDATE.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField as BigInteger
from django.db.models import Case, F, Q, Value, When

from astakos.models import Commission, Holding, Provision, ProvisionLog
from synnefo import clock
from synnefo.db.locks import atomic, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, NotFound, OverLimit
from synnefo.units import INF

#: More than this in one commission is a mistake of the caller.
MAX_PROVISIONS = 500

Key = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True)
class ProvisionRequest:
    """Ask for *quantity* more (or, negative, less) of the holding (holder, source, resource)."""

    holder: str
    source: str | None
    resource: str
    quantity: int

    @property
    def key(self) -> Key:
        """Return what names the holding."""
        return (self.holder, self.source, self.resource)

    def as_dict(self) -> dict[str, Any]:
        """Return the request as API bodies show it."""
        return {
            "holder": self.holder,
            "source": self.source,
            "resource": self.resource,
            "quantity": self.quantity,
        }


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


@contextmanager
def joined() -> Iterator[None]:
    """Run in the caller's transaction, or in a new one when there is none.

    Not a savepoint: everything here checks before it writes, so an error leaves nothing to undo.
    """
    if connection.in_atomic_block:
        yield
    else:
        with atomic():
            yield


def merge(provisions: Sequence[ProvisionRequest]) -> list[ProvisionRequest]:
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
    return [ProvisionRequest(*key, quantity) for key, quantity in totals.items()]


@retry_on_deadlock
def issue(
    *,
    clientkey: str,
    name: str,
    provisions: Sequence[ProvisionRequest],
    force: bool = False,
    auto_accept: bool = False,
) -> int:
    """Reserve what *provisions* ask for and return the serial of the pending commission.

    All or nothing. *force* ignores limits (never the floor of zero); *auto_accept* resolves at once.
    Raises ``OverLimit`` (data: NoCapacityError, NoQuantityError) or ``NotFound`` (NoHoldingError).
    """
    merged = merge(provisions)
    with joined():
        holdings = _lock_holdings(merged)
        for provision in merged:
            _check(provision, holdings.get(provision.key), force)
        commission = Commission(name=name, clientkey=clientkey, issue_datetime=clock.now())
        commission.save(force_insert=True)
        changes = [(holdings[provision.key], provision.quantity) for provision in merged]
        if auto_accept:
            _apply({holding.pk: (quantity, quantity) for holding, quantity in changes})
            for holding, quantity in changes:
                holding.usage_min += quantity
                holding.usage_max += quantity
            ProvisionLog.objects.bulk_create(
                _log_row(commission, holding, quantity, "ACCEPT") for holding, quantity in changes
            )
            Commission.objects.filter(pk=commission.pk).delete()
        else:
            _apply({holding.pk: (min(quantity, 0), max(quantity, 0)) for holding, quantity in changes})
            Provision.objects.bulk_create(
                Provision(commission=commission, holding=holding, quantity=quantity)
                for holding, quantity in changes
            )
    return commission.serial


def _lock_holdings(provisions: Sequence[ProvisionRequest]) -> dict[Key, Holding]:
    """Lock exactly the holdings that *provisions* name, in primary-key order."""
    if not provisions:
        return {}
    condition = Q()
    for provision in provisions:
        if "\0" in provision.holder + provision.resource + (provision.source or ""):
            continue
        source = Q(source__isnull=True) if provision.source is None else Q(source=provision.source)
        condition |= source & Q(holder=provision.holder, resource=provision.resource)
    rows = lock_rows(Holding.objects.filter(condition)) if condition else []
    return {(row.holder, row.source, row.resource): row for row in rows}


def _check(provision: ProvisionRequest, holding: Holding | None, force: bool) -> None:
    if holding is None:
        raise NotFound(
            f"There is no holding of {provision.resource} by {provision.holder} from {provision.source}",
            data={"name": "NoHoldingError", "provision": provision.as_dict()},
        )
    if provision.quantity >= 0:
        # A forced usage may pass the limit, but not what the column can hold.
        limit = INF if force else holding.limit
        if holding.usage_max + provision.quantity > limit:
            raise OverLimit(
                _no_capacity_text(provision, holding),
                data=_over_limit_data("NoCapacityError", provision, holding.limit, holding.usage_max),
            )
    elif holding.usage_min + provision.quantity < 0:
        raise OverLimit(
            f"{provision.holder} uses {holding.usage_min} of {provision.resource} and cannot release "
            f"{-provision.quantity}.",
            data=_over_limit_data("NoQuantityError", provision, 0, holding.usage_min),
        )


def _no_capacity_text(provision: ProvisionRequest, holding: Holding) -> str:
    pending = holding.usage_max - holding.usage_min
    scope = f" in {provision.source}" if provision.source else ""
    waiting = f", {pending} of it pending" if pending else ""
    return (
        f"{provision.holder} has not enough capacity of {provision.resource}{scope}: {provision.quantity} requested, "
        f"limit {holding.limit}, used {holding.usage_max}{waiting}."
    )


def _over_limit_data(name: str, provision: ProvisionRequest, limit: int, usage: int) -> dict[str, Any]:
    return {"name": name, "provision": provision.as_dict(), "limit": limit, "usage": usage}


def _apply(deltas: dict[int, tuple[int, int]]) -> None:
    """Add (usage_min, usage_max) deltas to locked holdings in one relative UPDATE."""
    deltas = {pk: delta for pk, delta in deltas.items() if delta != (0, 0)}
    if not deltas:
        return
    minimum = Case(
        *(When(pk=pk, then=Value(low)) for pk, (low, _) in deltas.items()), output_field=BigInteger()
    )
    maximum = Case(
        *(When(pk=pk, then=Value(high)) for pk, (_, high) in deltas.items()), output_field=BigInteger()
    )
    Holding.objects.filter(pk__in=deltas).update(
        usage_min=F("usage_min") + minimum, usage_max=F("usage_max") + maximum
    )


@retry_on_deadlock
def resolve(*, clientkey: str, accept: Sequence[int] = (), reject: Sequence[int] = ()) -> Resolution:
    """Accept and reject pending commissions of *clientkey* in one transaction.

    Serials in both lists and serials that are not pending end up in ``failed``; nothing raises.
    """
    accepting, rejecting = set(accept), set(reject)
    conflicting = accepting & rejecting
    wanted = {serial for serial in accepting ^ rejecting if 0 <= serial <= INF}
    with joined():
        commissions = (
            lock_rows(Commission.objects.filter(clientkey=clientkey, pk__in=wanted)) if wanted else []
        )
        found = {commission.serial: commission for commission in commissions}
        if found:
            _resolve_locked(found, accepting)
    missing = (accepting | rejecting) - found.keys() - conflicting
    failures = [
        Failure(serial, 404, "itemNotFound", f"serial {serial} does not exist") for serial in sorted(missing)
    ]
    failures += [
        Failure(serial, 400, "badRequest", f"cannot both accept and reject serial {serial}")
        for serial in sorted(conflicting)
    ]
    return Resolution(
        accepted=tuple(serial for serial in found if serial in accepting),
        rejected=tuple(serial for serial in found if serial in rejecting),
        failed=tuple(failures),
    )


def _resolve_locked(commissions: dict[int, Commission], accepting: set[int]) -> None:
    provisions = list(Provision.objects.filter(commission__in=commissions).order_by("commission_id", "id"))
    holdings = {
        row.pk: row for row in lock_rows(Holding.objects.filter(pk__in={p.holding_id for p in provisions}))
    }
    deltas: dict[int, tuple[int, int]] = {}
    log_rows: list[ProvisionLog] = []
    for provision in provisions:
        holding, quantity = holdings[provision.holding_id], provision.quantity
        accepted = provision.commission_id in accepting
        low, high = _outcome(quantity, accepted)
        holding.usage_min += low
        holding.usage_max += high
        before = deltas.get(holding.pk, (0, 0))
        deltas[holding.pk] = (before[0] + low, before[1] + high)
        commission = commissions[provision.commission_id]
        log_rows.append(_log_row(commission, holding, quantity, "ACCEPT" if accepted else "REJECT"))
    _apply(deltas)
    ProvisionLog.objects.bulk_create(log_rows)
    Provision.objects.filter(commission__in=commissions).delete()
    Commission.objects.filter(pk__in=commissions).delete()


def _outcome(quantity: int, accepted: bool) -> tuple[int, int]:
    """Return what accepting or rejecting *quantity* adds to (usage_min, usage_max)."""
    if quantity >= 0:
        return (quantity, 0) if accepted else (0, -quantity)
    return (0, quantity) if accepted else (-quantity, 0)


def _log_row(commission: Commission, holding: Holding, quantity: int, outcome: str) -> ProvisionLog:
    return ProvisionLog(
        serial=commission.serial,
        name=commission.name,
        issue_time=commission.issue_datetime,
        log_time=clock.now(),
        holder=holding.holder,
        source=holding.source,
        resource=holding.resource,
        limit=holding.limit,
        usage_min=holding.usage_min,
        usage_max=holding.usage_max,
        delta_quantity=quantity,
        reason=f"{outcome}:{commission.name}"[:255],
    )


def pending(*, clientkey: str) -> list[int]:
    """Return the serials of *clientkey*'s pending commissions."""
    return list(
        Commission.objects.filter(clientkey=clientkey).order_by("serial").values_list("serial", flat=True)
    )


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
