"""Lists of servers: filters, order and pages by key (compute contract 4 and 22.3)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from cyclades.logic.server_statuses import with_status
from cyclades.logic.server_tags import USER_PREFIX
from cyclades.logic.visibility import visible_servers
from cyclades.models import IPAddress, Server, ServerTag
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotModified

MAX_PAGE = 1000

#: What a list can be sorted by, under the names of both dialects.
SORT_COLUMNS = {
    "id": "pk",
    "uuid": "pk",
    "name": "name",
    "display_name": "name",
    "created": "created",
    "created_at": "created",
    "updated": "updated",
    "updated_at": "updated",
}


@dataclass(frozen=True)
class ServerFilter:
    """What a list of servers is narrowed to; ``None`` and empty mean no condition.

    ``changes_since`` brings deleted servers too; ``marker`` is the id of the last server seen. ``tags``
    must all be there, one of ``tags_any``; the ``not_`` forms are the opposites. ``nova``: ``status`` is one
    that Nova's clients see.
    """

    changes_since: dt.datetime | None = None
    changes_before: dt.datetime | None = None
    name: str | None = None
    status: str | None = None
    nova: bool = False
    flavor_id: int | None = None
    image_id: str | None = None
    project: str | None = None
    user_id: str | None = None
    ipv4: str | None = None
    ipv6: str | None = None
    tags: Sequence[str] = ()
    tags_any: Sequence[str] = ()
    not_tags: Sequence[str] = ()
    not_tags_any: Sequence[str] = ()
    sort_key: str = "id"
    descending: bool = False
    marker: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class ServerPage:
    """Servers in the order asked for, and whether more follow."""

    servers: list[Server]
    has_more: bool


def list_servers(credentials: Credentials, *, conditions: ServerFilter) -> ServerPage:
    """Return visible servers, by id unless another order is asked for.

    Raises ``NotModified`` when nothing changed since the named moment and ``BadRequest`` for an unknown
    order or a marker that names no server.
    """
    column = SORT_COLUMNS.get(conditions.sort_key)
    if column is None:
        raise BadRequest(f"'sort_key' must be one of {', '.join(SORT_COLUMNS)}")
    seen = visible_servers(credentials)
    servers = _narrowed(seen, conditions)
    if conditions.marker is not None:
        servers = servers.filter(_after(seen, conditions, column))
    sign = "-" if conditions.descending else ""
    servers = servers.order_by(f"{sign}{column}", *([] if column == "pk" else [f"{sign}pk"]))
    if conditions.limit is None:
        rows, has_more = list(servers), False
    else:
        limit = min(conditions.limit, MAX_PAGE)
        rows = list(servers[: limit + 1])
        rows, has_more = rows[:limit], len(rows) > limit
    if conditions.changes_since is not None and not rows:
        raise NotModified()
    return ServerPage(rows, has_more)


def _after(seen: QuerySet[Server], conditions: ServerFilter, column: str) -> Q:
    """Return the condition that a row comes after the marker in the order."""
    marker = conditions.marker
    values = list(seen.filter(pk=marker or 0).annotate(value=F(column)).values_list("value", flat=True))
    if not values:
        raise BadRequest(f"'marker' names no server: {marker}")
    beyond = "lt" if conditions.descending else "gt"
    if column == "pk":
        return Q(**{f"pk__{beyond}": marker})
    return Q(**{f"{column}__{beyond}": values[0]}) | Q(**{column: values[0], f"pk__{beyond}": marker})


def _narrowed(servers: QuerySet[Server], conditions: ServerFilter) -> QuerySet[Server]:
    wanted = Q()
    if conditions.changes_since is not None:
        wanted &= Q(updated__gte=conditions.changes_since)
    elif conditions.status != "DELETED":
        wanted &= Q(deleted=False)
    if conditions.changes_before is not None:
        wanted &= Q(updated__lte=conditions.changes_before)
    if conditions.status is not None:
        condition = with_status(conditions.status, nova=conditions.nova)
        if condition is None:
            return servers.none()
        wanted &= condition
    if conditions.name is not None:
        wanted &= _named(conditions.name)
    equal: Mapping[str, object | None] = {
        "flavor_id": conditions.flavor_id,
        "imageid": conditions.image_id,
        "project": conditions.project,
        "userid": conditions.user_id,
    }
    wanted &= Q(**{key: value for key, value in equal.items() if value is not None})
    return servers.filter(wanted, *_addressed(conditions), *_tagged(conditions))


def _named(pattern: str) -> Q:
    """Match a part of a name, or the anchored and escaped texts that clients send as expressions.

    Other regular expressions are not run: they could keep the database busy for as long as their author
    likes.
    """
    start, end = pattern.startswith("^"), pattern.endswith("$")
    text = re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").removesuffix("$"))
    if start and end:
        return Q(name=text)
    lookup = "startswith" if start else "endswith" if end else "icontains"
    return Q(**{f"name__{lookup}": text})


def _addressed(conditions: ServerFilter) -> list[Exists]:
    wanted = ((4, conditions.ipv4), (6, conditions.ipv6))
    return [
        Exists(
            IPAddress.objects.filter(
                nic__machine=OuterRef("pk"), deleted=False, ipversion=version, address__contains=text
            )
        )
        for version, text in wanted
        if text
    ]


def _tagged(conditions: ServerFilter) -> list[Exists | Q]:
    def having(tags: Sequence[str]) -> Exists:
        names = [USER_PREFIX + tag for tag in tags]
        return Exists(ServerTag.objects.filter(server=OuterRef("pk"), tag__in=names))

    found: list[Exists | Q] = [having([tag]) for tag in conditions.tags]
    if conditions.tags_any:
        found.append(having(conditions.tags_any))
    if conditions.not_tags:
        all_of = Q()
        for tag in conditions.not_tags:
            all_of &= Q(having([tag]))
        found.append(~all_of)
    if conditions.not_tags_any:
        found.append(~Q(having(conditions.not_tags_any)))
    return found
