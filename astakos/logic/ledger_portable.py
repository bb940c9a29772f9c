"""The ledger of every other database: the same steps as ``ledger_postgres``, one statement each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import BigIntegerField, Case, F, Q, Value, When

from astakos.logic.ledger import (
    CommissionRequest,
    HoldingState,
    Issued,
    Key,
    Resolved,
    effect_of_issue,
    effect_of_outcome,
    log_reason,
    refusal,
)
from astakos.models import Commission, Holding, Provision, ProvisionLog
from synnefo import clock
from synnefo.db import prepared
from synnefo.db.locks import lock_rows


def issue(request: CommissionRequest, first: Sequence[prepared.Statement] = ()) -> Issued:
    """Issue *request* if every holding admits it; runs in the caller's transaction, after *first*."""
    prepared.execute_all(*first)
    rows = _lock(request)
    states = {key: HoldingState(row.limit, row.usage_min, row.usage_max) for key, row in rows.items()}
    for provision in request.provisions:
        if refusal(provision, states.get(provision.key), force=request.force) is not None:
            return Issued(None, states)
    commission = Commission(name=request.name, clientkey=request.clientkey, issue_datetime=request.issue_time)
    commission.save(force_insert=True)
    changes = [(rows[provision.key], provision.quantity) for provision in request.provisions]
    _add({row.pk: effect_of_issue(quantity, auto_accept=request.auto_accept) for row, quantity in changes})
    if request.auto_accept:
        for row, quantity in changes:
            row.usage_min += quantity
            row.usage_max += quantity
        ProvisionLog.objects.bulk_create(
            _log_row(commission, row, quantity, accepted=True) for row, quantity in changes
        )
        Commission.objects.filter(pk=commission.pk).delete()
    else:
        Provision.objects.bulk_create(
            Provision(commission=commission, holding=row, quantity=quantity) for row, quantity in changes
        )
    return Issued(commission.serial, states)


def _lock(request: CommissionRequest) -> dict[Key, Holding]:
    condition = Q()
    for provision in request.provisions:
        source = Q(source__isnull=True) if provision.source is None else Q(source=provision.source)
        condition |= source & Q(holder=provision.holder, resource=provision.resource)
    rows = lock_rows(Holding.objects.filter(condition)) if condition else []
    return {(row.holder, row.source, row.resource): row for row in rows}


def _add(deltas: Mapping[int, tuple[int, int]]) -> None:
    """Add (usage_min, usage_max) deltas to locked holdings in one relative UPDATE."""
    if not deltas:
        return
    low, high = (
        Case(
            *(When(pk=pk, then=Value(delta[column])) for pk, delta in deltas.items()),
            output_field=BigIntegerField(),
        )
        for column in (0, 1)
    )
    Holding.objects.filter(pk__in=deltas).update(
        usage_min=F("usage_min") + low, usage_max=F("usage_max") + high
    )


def resolve(*, clientkey: str, accept: Collection[int], reject: Collection[int]) -> Resolved:
    """Accept and reject those of the disjoint serials that are pending; runs in the caller's transaction."""
    commissions = {
        row.serial: row
        for row in lock_rows(Commission.objects.filter(clientkey=clientkey, pk__in=[*accept, *reject]))
    }
    provisions = list(Provision.objects.filter(commission__in=commissions).order_by("id"))
    rows = {
        row.pk: row for row in lock_rows(Holding.objects.filter(pk__in={p.holding_id for p in provisions}))
    }
    accepting = set(accept)
    _add(_sums(provisions, rows, accepting))
    ProvisionLog.objects.bulk_create(
        _log_row(
            commissions[p.commission_id],
            rows[p.holding_id],
            p.quantity,
            accepted=p.commission_id in accepting,
        )
        for p in provisions
    )
    Provision.objects.filter(commission__in=commissions).delete()
    Commission.objects.filter(pk__in=commissions).delete()
    return Resolved(
        accepted=tuple(serial for serial in commissions if serial in accepting),
        rejected=tuple(serial for serial in commissions if serial not in accepting),
    )


def _sums(
    provisions: Iterable[Provision], rows: Mapping[int, Holding], accepting: Collection[int]
) -> dict[int, tuple[int, int]]:
    """Return each holding's total delta, and bring the locked rows up to it for the log."""
    deltas: dict[int, tuple[int, int]] = {}
    for provision in provisions:
        low, high = effect_of_outcome(provision.quantity, accepted=provision.commission_id in accepting)
        before = deltas.get(provision.holding_id, (0, 0))
        deltas[provision.holding_id] = (before[0] + low, before[1] + high)
        row = rows[provision.holding_id]
        row.usage_min += low
        row.usage_max += high
    return deltas


def _log_row(commission: Commission, row: Holding, quantity: int, *, accepted: bool) -> ProvisionLog:
    return ProvisionLog(
        serial=commission.serial,
        name=commission.name,
        issue_time=commission.issue_datetime,
        log_time=clock.now(),
        holder=row.holder,
        source=row.source,
        resource=row.resource,
        limit=row.limit,
        usage_min=row.usage_min,
        usage_max=row.usage_max,
        delta_quantity=quantity,
        reason=log_reason(commission.name, accepted=accepted),
    )
