"""How many users there are and what they use (identity contract 1.7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum, Value
from django.db.models.functions import Concat

from astakos.logic import auth_providers
from astakos.models import Holding, Resource, User
from synnefo import clock
from synnefo.units import INF


@dataclass(frozen=True, slots=True)
class UserCount:
    """Numbers of users; ``exclusive`` is ``None`` where all login methods are counted."""

    total: int
    verified: int
    active: int
    exclusive: int | None = None


@dataclass(frozen=True, slots=True)
class ResourceSum:
    """What is used of a resource and how much may be; unlimited shares are left out of ``allocated``."""

    used: int
    allocated: int
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything, under ``all`` and by login method."""

    moment: dt.datetime
    providers: Sequence[str]
    users: Mapping[str, UserCount]
    resources: Mapping[str, Mapping[str, ResourceSum]]


def count_users() -> UserCount:
    """Return how many users there are, in one query."""
    return _count(User.objects.all())


def _count(users: QuerySet[User]) -> UserCount:
    found = users.aggregate(
        total=Count("pk"),
        verified=Count("pk", filter=Q(email_verified=True)),
        active=Count("pk", filter=Q(is_active=True)),
    )
    return UserCount(found["total"], found["verified"], found["active"])


def collect() -> Statistics:
    """Return all numbers; three queries for each login method."""
    modules = auth_providers.enabled_modules()
    users = {"all": count_users()}
    resources = {"all": _sums(Holding.objects.filter(source=None))}
    for module in modules:
        having = User.objects.filter(pk__in=_users_with(module))
        only = _exclusive_users(module)
        count = _count(having)
        users[module] = UserCount(count.total, count.verified, count.active, only.count())
        holders = only.filter(is_active=True, email_verified=True).annotate(
            holder=Concat(Value("user:"), "uuid")
        )
        resources[module] = _sums(Holding.objects.filter(holder__in=holders.values("holder")))
    return Statistics(clock.now(), modules, users, resources)


def _users_with(module: str) -> QuerySet[User, int]:
    rows = User.objects.filter(auth_providers__module=module, auth_providers__active=True)
    return rows.values_list("pk", flat=True)


def _exclusive_users(module: str) -> QuerySet[User]:
    return User.objects.annotate(
        methods=Count("auth_providers__module", filter=Q(auth_providers__active=True), distinct=True),
        mine=Count("auth_providers", filter=Q(auth_providers__active=True, auth_providers__module=module)),
    ).filter(methods=1, mine__gt=0)


def _sums(holdings: QuerySet[Holding]) -> dict[str, ResourceSum]:
    found = {
        row["resource"]: row
        for row in holdings.values("resource").annotate(
            used=Sum("usage_max"), allocated=Sum("limit", filter=Q(limit__lt=INF))
        )
    }
    sums = {}
    for resource in Resource.objects.order_by("name"):
        row: Mapping[str, Any] = found.get(resource.name, {})
        sums[resource.name] = ResourceSum(
            used=int(row.get("used") or 0),
            allocated=int(row.get("allocated") or 0),
            unit=resource.unit or "",
            description=resource.desc,
        )
    return sums


def as_document(statistics: Statistics) -> dict[str, object]:
    """Return *statistics* as the API and the command print them."""
    return {
        "datetime": statistics.moment.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "providers": list(statistics.providers),
        "users": {name: _count_document(count) for name, count in statistics.users.items()},
        "resources": {
            name: {
                resource: {
                    "used": total.used,
                    "allocated": total.allocated,
                    "unit": total.unit,
                    "description": total.description,
                }
                for resource, total in sums.items()
            }
            for name, sums in statistics.resources.items()
        },
    }


def _count_document(count: UserCount) -> dict[str, int]:
    document = {"total": count.total, "verified": count.verified, "active": count.active}
    return document if count.exclusive is None else {**document, "exclusive": count.exclusive}
