"""Finding a user's own containers and objects by a part of their names (web contract 17, UX-16)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from pithos.logic.permissions import name_range
from pithos.models import Cluster, Node, Version
from synnefo.credentials import Credentials

#: So many names of an account are looked through for a part; beginnings are found among all of them.
_LOOKED_THROUGH = 20_000


@dataclass(frozen=True, slots=True)
class Match:
    """A container (``name`` empty) or an object of it; ``size`` in bytes."""

    container: str
    name: str = ""
    size: int = 0


def containers(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's containers whose names have *text* in them; one query."""
    rows = _containers(credentials).filter(name__icontains=text).order_by("name")
    return [Match(name) for name in rows.values_list("name", flat=True)[:limit]]


def objects(credentials: Credentials, *, text: str, limit: int) -> list[Match]:
    """Return the user's objects whose names begin with *text*, or have it in them; at most two queries.

    A part is looked for in the first ``_LOOKED_THROUGH`` names only, so that an account with millions of
    objects answers as quickly as others.
    """
    live = Node.objects.filter(parent__in=_containers(credentials), is_live=True)
    beginning = name_range("name", text)
    found = _listed(live.filter(**beginning), limit)
    if len(found) < limit:
        looked_through = live.order_by("parent", "name").values("pk")[:_LOOKED_THROUGH]
        within = Node.objects.filter(pk__in=looked_through, name__icontains=text).exclude(**beginning)
        found += _listed(within, limit - len(found))
    return found


def _containers(credentials: Credentials) -> QuerySet[Node]:
    account = Q(parent__name=credentials.user_id, parent__parent__isnull=True)
    return Node.objects.filter(account, parent__isnull=False, is_live=True)


def _listed(nodes: QuerySet[Node], limit: int) -> list[Match]:
    current = Version.objects.filter(node=OuterRef("pk"), cluster=Cluster.CURRENT)
    rows = nodes.annotate(size=Subquery(current.values("size")[:1])).order_by("parent", "name")
    return [Match(*row) for row in rows.values_list("parent__name", "name", "size")[:limit]]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many containers a user has, and how many objects in them."""

    containers: int
    objects: int


def counts(credentials: Credentials) -> Counts:
    """Count the user's own containers and objects, from the statistics that every change keeps; one query."""
    found = _containers(credentials).aggregate(
        containers=Count("pk"), objects=Coalesce(Sum("statistics__current_count"), 0)
    )
    return Counts(**found)
