"""What ``quota-list`` selects among the holdings of accepted users (administrator's contract 2.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from astakos.logic.limits import project_holder, user_holder
from astakos.models import Holding, Project, Resource, User
from synnefo.errors import BadRequest
from synnefo.units import parse_size

_CONDITION = re.compile(r"^(\w+)(!=|>=|=>|<=|=<|=|>|<)(.*)$", re.DOTALL)
_LOOKUPS = {
    "=": "",
    "!=": "",
    ">": "__gt",
    "<": "__lt",
    ">=": "__gte",
    "=>": "__gte",
    "<=": "__lte",
    "=<": "__lte",
}
_NUMBERS = {"limit": "limit", "usage": "usage_max"}


@dataclass(frozen=True, slots=True)
class HoldingRow:
    """A user's holding as the administrator reads it."""

    user: str
    project: str
    resource: str
    unit: str | None
    limit: int
    usage: int


def holdings(*, filters: str = "", over_limit: bool = False, custom: bool | None = None) -> list[HoldingRow]:
    """Return the holdings of accepted users that satisfy everything asked for.

    *filters* is ``key<op>value[,…]`` with keys user, source, resource, limit and usage; *custom* keeps the
    system projects' holdings whose limit differs (or does not) from the resource's default. Raises
    ``BadRequest`` for a malformed condition.
    """
    accepted = User.objects.filter(email_verified=True, moderated=True, is_rejected=False)
    rows = Holding.objects.filter(
        holder__in=accepted.annotate(name=Concat(Value("user:"), "uuid")).values("name")
    )
    for condition in filter(None, filters.split(",")):
        rows = _narrow(rows, condition)
    if over_limit:
        rows = rows.filter(usage_max__gt=F("limit"))
    if custom is not None:
        rows = _with_custom_limit(rows, custom)
    return _rows(rows)


def holdings_of(uuid: str) -> list[HoldingRow]:
    """Return everything the user of this uuid holds."""
    return _rows(Holding.objects.filter(holder=user_holder(uuid), source__isnull=False))


def _rows(holdings: QuerySet[Holding]) -> list[HoldingRow]:
    units = dict(Resource.objects.values_list("name", "unit"))
    columns = ("holder", "source", "resource", "limit", "usage_max")
    return [
        HoldingRow(
            user=holder.removeprefix("user:"),
            project=source.removeprefix("project:"),
            resource=resource,
            unit=units.get(resource),
            limit=limit,
            usage=usage,
        )
        for holder, source, resource, limit, usage in holdings.order_by(
            "holder", "source", "resource"
        ).values_list(*columns)
    ]


def _narrow(rows: QuerySet[Holding], condition: str) -> QuerySet[Holding]:
    match = _CONDITION.match(condition.strip())
    if match is None:
        raise BadRequest(f"'{condition}' is not a condition such as usage>=10M")
    key, operator, text = match.groups()
    if key in _NUMBERS:
        try:
            lookup = Q(**{_NUMBERS[key] + _LOOKUPS[operator]: parse_size(text)})
        except ValueError as error:
            raise BadRequest(f"{key}: {error}") from None
    elif key in ("user", "holder", "source", "resource"):
        if "\0" in text:
            raise BadRequest(f"{key}: a name has no NUL character")
        lookup = Q(**{_COLUMNS[key][0] + _LOOKUPS[operator]: _COLUMNS[key][1](text)})
    else:
        raise BadRequest(f"Unknown filter '{key}'; there are user, source, resource, limit and usage")
    return rows.exclude(lookup) if operator == "!=" else rows.filter(lookup)


def _holder(text: str) -> str:
    if "@" in text:
        uuid = User.objects.filter(username=text.lower()).values_list("uuid", flat=True).first()
        return user_holder(uuid or text)
    return text if text.startswith("user:") else user_holder(text)


def _source(text: str) -> str:
    return text if text.startswith("project:") else project_holder(text)


_COLUMNS: dict[str, tuple[str, Callable[[str], str]]] = {
    "user": ("holder", _holder),
    "holder": ("holder", _holder),
    "source": ("source", _source),
    "resource": ("resource", str),
}


def _with_custom_limit(rows: QuerySet[Holding], custom: bool) -> QuerySet[Holding]:
    system = Project.objects.filter(is_base=True).annotate(name_=Concat(Value("project:"), "uuid"))
    default = Resource.objects.filter(name=OuterRef("resource")).values("uplimit")[:1]
    rows = rows.filter(source__in=system.values("name_")).annotate(default=Subquery(default))
    return rows.exclude(limit=F("default")) if custom else rows.filter(limit=F("default"))
