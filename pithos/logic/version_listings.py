"""Listings of all versions of a container's objects, as Swift's clients read them (contract 16, 22.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from pithos.logic.checksums import EMPTY
from pithos.logic.listings import (
    COLUMNS,
    ObjectEntry,
    ObjectQuery,
    Subdir,
    end_of,
    folder_end,
    folder_of,
)
from pithos.logic.nodes import get_container
from pithos.logic.permissions import require_owner
from pithos.models import Cluster, Version
from pithos.paths import prefix_end
from synnefo.credentials import Credentials

_STEPS = 2000


@dataclass(slots=True)
class VersionEntry(ObjectEntry):
    """A version in a listing; ``is_mark``: what is left of an object that was deleted then."""

    is_latest: bool = False
    is_mark: bool = False


def list_versions(
    credentials: Credentials, *, account: str, container: str, query: ObjectQuery, before: int | None = None
) -> list[VersionEntry | Subdir]:
    """Return one page of versions, by name and the newest of each name first; for the owner only.

    ``before``: the page goes on inside the versions of the marker, with those older than this one (newer, if
    the listing is reversed). Raises Forbidden and NotFound.
    """
    require_owner(credentials, account)
    node = get_container(account, container)
    rows = Version.objects.filter(node__parent=node, node__name__gte=query.prefix)
    end = end_of(query)
    if end and not query.reverse:
        rows = rows.filter(node__name__lt=end)
    elif query.reverse:
        beyond = prefix_end(query.prefix)
        rows = rows.filter(node__name__lt=beyond) if beyond else rows
        rows = rows.filter(node__name__gt=query.end_marker) if query.end_marker else rows
    page: list[VersionEntry | Subdir] = []
    for entry in _walk(rows, query, before):
        folder = folder_of(entry.name, query)
        if folder is None:
            page.append(entry)
        elif Subdir(folder) not in page[-1:] and folder != query.marker:
            page.append(Subdir(folder))
        if len(page) >= query.limit:
            break
    return page


def _walk(rows: QuerySet[Version], query: ObjectQuery, before: int | None) -> Iterator[VersionEntry]:
    """Yield versions in order, page by page; a folder is passed over once it is known."""
    ordered = rows.order_by(*(("-node__name", "pk") if query.reverse else ("node__name", "-pk")))
    start = _behind(query.marker, before, query.reverse) if query.marker else Q()
    count = min(query.limit, _STEPS)
    while True:
        found = list(ordered.filter(start).values_list("node__name", *COLUMNS, "cluster")[:count])
        for *values, cluster in found:
            entry = VersionEntry(*values)
            entry.is_latest = cluster != Cluster.HISTORY
            if entry.hash is None:
                entry.is_mark, entry.checksum = True, EMPTY
            yield entry
        if len(found) < count:
            return
        name, serial = found[-1][0], found[-1][COLUMNS.index("pk") + 1]
        folder = folder_of(name, query)
        if folder is None:
            start = _behind(name, serial, query.reverse)
        else:
            start = Q(node__name__lt=folder) if query.reverse else Q(node__name__gte=folder_end(folder))


def _behind(name: str, serial: int | None, reverse: bool) -> Q:
    """Return the condition for what comes after a version of a name, or after all of them."""
    later, older = ("lt", "gt") if reverse else ("gt", "lt")
    if serial is None:
        return Q(**{f"node__name__{later}": name})
    # The first part is what an index is good for.
    same = Q(**{"node__name": name, f"pk__{older}": serial})
    return Q(**{f"node__name__{later}e": name}) & (Q(**{f"node__name__{later}": name}) | same)
