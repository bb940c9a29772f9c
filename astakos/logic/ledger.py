"""What both ledgers share: requests, holdings as they were found, and the rule that decides.

A *ledger* changes holdings. ``ledger_postgres`` does so in one statement, ``ledger_portable`` in several
that every database understands; both lock exactly the holdings concerned, in primary-key order.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from synnefo.errors import NotFound, OverLimit, SynnefoError
from synnefo.units import INF

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
class CommissionRequest:
    """A commission about to be issued; its provisions have distinct keys."""

    clientkey: str
    name: str
    issue_time: dt.datetime
    provisions: tuple[ProvisionRequest, ...]
    force: bool
    auto_accept: bool


@dataclass(frozen=True, slots=True)
class HoldingState:
    """A locked holding before the commission."""

    limit: int
    usage_min: int
    usage_max: int


@dataclass(frozen=True, slots=True)
class Issued:
    """The outcome: a serial, or ``None`` when nothing was changed because of what *holdings* say."""

    serial: int | None
    holdings: dict[Key, HoldingState]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The serials that were pending and now are not."""

    accepted: tuple[int, ...]
    rejected: tuple[int, ...]


def effect_of_issue(quantity: int, *, auto_accept: bool) -> tuple[int, int]:
    """Return what issuing *quantity* adds to (usage_min, usage_max)."""
    if auto_accept:
        return quantity, quantity
    return min(quantity, 0), max(quantity, 0)


def effect_of_outcome(quantity: int, *, accepted: bool) -> tuple[int, int]:
    """Return what accepting or rejecting a pending *quantity* adds to (usage_min, usage_max)."""
    if quantity >= 0:
        return (quantity, 0) if accepted else (0, -quantity)
    return (0, quantity) if accepted else (-quantity, 0)


def refusal(provision: ProvisionRequest, holding: HoldingState | None, *, force: bool) -> SynnefoError | None:
    """Return why *holding* does not admit *provision*, ``None`` when it does (identity contract 2.1)."""
    if holding is None:
        return NotFound(
            f"There is no holding of {provision.resource} by {provision.holder} from {provision.source}",
            data={"name": "NoHoldingError", "provision": provision.as_dict()},
        )
    if provision.quantity >= 0:
        # A forced usage may pass the limit, but not what the column can hold.
        limit = INF if force else holding.limit
        if holding.usage_max > limit - provision.quantity:
            return OverLimit(
                _no_capacity_text(provision, holding),
                data=_over_limit_data("NoCapacityError", provision, holding.limit, holding.usage_max),
            )
    elif holding.usage_min < -provision.quantity:
        return OverLimit(
            f"{provision.holder} uses {holding.usage_min} of {provision.resource} and cannot release "
            f"{-provision.quantity}.",
            data=_over_limit_data("NoQuantityError", provision, 0, holding.usage_min),
        )
    return None


def _no_capacity_text(provision: ProvisionRequest, holding: HoldingState) -> str:
    pending = holding.usage_max - holding.usage_min
    scope = f" in {provision.source}" if provision.source else ""
    waiting = f", {pending} of it pending" if pending else ""
    return (
        f"{provision.holder} has not enough capacity of {provision.resource}{scope}: "
        f"{provision.quantity} requested, limit {holding.limit}, used {holding.usage_max}{waiting}."
    )


def _over_limit_data(name: str, provision: ProvisionRequest, limit: int, usage: int) -> dict[str, Any]:
    return {"name": name, "provision": provision.as_dict(), "limit": limit, "usage": usage}


def log_reason(name: str, *, accepted: bool) -> str:
    """Return what the provision log says of an outcome."""
    return f"{'ACCEPT' if accepted else 'REJECT'}:{name}"[:255]
