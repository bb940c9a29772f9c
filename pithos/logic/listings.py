"""Listings of containers and objects (object-storage contract 6).

Pages are cut by key, never by counting: the cost of a page depends on its size, not on its place. Folders are
found by jumping over their contents, so that a folder costs one step however much is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from pithos.logic import acl, asof, checksums, permissions
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import find_container
from pithos.logic.permissions import Sharing, name_range
from pithos.models import Attribute, Cluster, Grant, Node, Version
from pithos.paths import encode, prefix_end
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound

_STEPS = 2000
COLUMNS = (
    "hash",
    "size",
    "type",
    "mtime",
    "muser",
    "uuid",
    "checksum",
    "pk",
    "available",
    "map_check_timestamp",
)
_LOOKUPS = {
    "=": "value",
    "!=": "value",
    "<=": "value__lte",
    ">=": "value__gte",
    "<": "value__lt",
    ">": "value__gt",
}


@dataclass(frozen=True)
class MetaTerm:
    """One condition on metadata: ``operator`` is "" (key present), "!" (absent) or a comparison as text."""

    key: str
    operator: str
    value: str = ""


@dataclass(frozen=True)
class ObjectQuery:
    """What to list; ``virtual`` shows folders that exist only through the names in them.

    The rest is of Swift's dialect: ``end_marker`` ends the listing before that name, ``reverse`` turns it
    round (both markers with it), and with ``folds_ends`` a name that ends in the delimiter is a folder too,
    and a marker inside a folder does not hide it.
    """

    limit: int
    marker: str = ""
    prefix: str = ""
    delimiter: str = ""
    virtual: bool = True
    meta: tuple[MetaTerm, ...] = ()
    shared: bool = False
    public: bool = False
    until: datetime | None = None
    end_marker: str = ""
    reverse: bool = False
    folds_ends: bool = False


@dataclass(slots=True)
class ObjectEntry:
    """An object in a listing; ``bytes`` its size."""

    name: str
    hash: str | None
    bytes: int
    type: str
    mtime: datetime
    muser: str
    uuid: str
    checksum: str
    version: int
    available: int
    map_check_timestamp: datetime | None
    public_id: str | None = None
    sharing: Sharing | None = None
    allowed_to: str | None = None


@dataclass(frozen=True, slots=True)
class Subdir:
    """A folder in a listing: the common beginning of names, with its delimiter."""

    name: str


Entry = ObjectEntry | Subdir


def list_objects(
    credentials: Credentials, *, account: str, container: str, query: ObjectQuery
) -> list[Entry]:
    """Return one page of a container's objects and folders, in byte order; raise Forbidden, NotFound."""
    owner = permissions.is_owner(credentials, account)
    node = find_container(account, container)
    if node is None:
        raise (
            NotFound("The container does not exist.")
            if owner
            else Forbidden("You may not see this container.")
        )
    visible = _visible(credentials, node, query, owner)
    entries = _with_published(node, query) if query.public else _entries(node, query, visible)
    if query.until is None and not query.folds_ends:
        _add_sharing(credentials, node, [e for e in entries if isinstance(e, ObjectEntry)], owner)
    return entries


def fill_checksums(entries: Iterable[Entry]) -> None:
    """Work out missing MD5 checksums of a page, as far as that is quick; they are kept."""
    missing = {
        entry.version: entry for entry in entries if isinstance(entry, ObjectEntry) and not entry.checksum
    }
    budget = checksums.LISTING_BUDGET
    for version in Version.objects.filter(pk__in=missing).order_by("size") if missing else ():
        budget -= version.size
        if budget < 0:
            return
        missing[version.pk].checksum = checksums.checksum_of(version)


def _with_published(container: Node, query: ObjectQuery) -> list[Entry]:
    """Return published objects, which no folder hides, and shared ones if these are asked for too."""
    pages = [_entries(container, replace(query, delimiter="", shared=False), None)]
    if query.shared:
        pages.append(_entries(container, replace(query, public=False), None))
    found = {(entry.name, isinstance(entry, Subdir)): entry for page in pages for entry in page}
    return [found[key] for key in sorted(found)][: query.limit]


def _entries(container: Node, query: ObjectQuery, visible: Q | None) -> list[Entry]:
    """Return one page of objects and folders that are shared, published, or visible to a sharer."""
    if query.until is not None:
        shared = _restricted(container, replace(query, meta=()), visible)
        return _page(query, _then(container, query, shared))
    nodes = _restricted(container, query, visible)
    if query.delimiter and nodes is None and not query.reverse:
        return _page(query, _jumping(container, query))
    everything = Node.objects.filter(parent=container, is_live=True) if nodes is None else nodes
    if query.reverse:
        return _page(query, _backwards(everything, query))
    return _page(query, _walking(everything, query))


def _visible(credentials: Credentials, node: Node, query: ObjectQuery, owner: bool) -> Q | None:
    if owner:
        return None
    if query.until is not None or query.public:
        raise Forbidden("Only the owner may list a container's past or its public objects.")
    assert node.parent is not None
    if acl.may_list(credentials, node.parent.name, node.name):
        return None
    seen = permissions.visible(node, permissions.holders_of(credentials.user_id))
    if seen is None:
        raise Forbidden("You may not see this container.")
    beginning = Node.objects.filter(seen, parent=node, is_live=True, **name_range("name", query.prefix))
    if query.prefix and not beginning.exists():
        raise Forbidden("You may not see this part of the container.")
    return seen


def _restricted(container: Node, query: ObjectQuery, visible: Q | None) -> QuerySet[Node] | None:
    """Return the nodes to list if anything but the name decides, else None."""
    if visible is None and not (query.meta or query.shared or query.public):
        return None
    nodes = Node.objects.filter(parent=container, is_live=True)
    if visible is not None:
        nodes = nodes.filter(visible)
    elif query.shared:
        nodes = nodes.filter(permissions.explicit(container))
    elif query.public:
        nodes = nodes.filter(public_link__isnull=False)
    for condition in _meta_conditions(query.meta, "node"):
        nodes = nodes.filter(condition)
    return nodes


def _meta_conditions(terms: Sequence[MetaTerm], link: str) -> Iterator[Any]:
    """Yield conditions: any plain key, none of the negated ones, every comparison (contract 6.2)."""

    def items(**conditions: str) -> QuerySet[Attribute]:
        latest = {"is_latest": True} if link == "node" else {}
        return Attribute.objects.filter(**{link: OuterRef("pk")}, **latest, domain=USER_DOMAIN, **conditions)

    plain = [term.key for term in terms if not term.operator]
    if plain:
        yield Exists(items().filter(key__in=plain))
    for term in terms:
        if term.operator == "!":
            yield ~Exists(items(key=term.key))
        elif term.operator == "!=":
            yield Exists(items(key=term.key).exclude(value=term.value))
        elif term.operator:
            yield Exists(items(key=term.key, **{_LOOKUPS[term.operator]: term.value}))


def folder_of(name: str, query: ObjectQuery) -> str | None:
    """Return the folder, with its delimiter, that hides ``name`` in this listing; None if it is listed."""
    if not query.delimiter:
        return None
    position = name.find(query.delimiter, len(query.prefix))
    end = position + len(query.delimiter)
    return name[:end] if position != -1 and (end < len(name) or query.folds_ends) else None


def _start(query: ObjectQuery) -> tuple[str, bool]:
    """Return where the page begins and whether that name itself belongs to it."""
    marker = query.marker
    if not marker or marker < query.prefix:
        return query.prefix, True
    if query.delimiter and marker.startswith(query.prefix):
        position = marker.find(query.delimiter, len(query.prefix))
        # The folder of the marker has been listed already; in Swift's dialect only if it is the marker.
        is_folder = position + len(query.delimiter) == len(marker)
        if position != -1 and (is_folder or not query.folds_ends):
            return folder_end(marker[: position + len(query.delimiter)]), True
    return marker, False


def end_of(query: ObjectQuery) -> str | None:
    """Return the name before which a listing ends, None if it goes on to the last."""
    ends = [end for end in (prefix_end(query.prefix), query.end_marker) if end]
    return min(ends, key=encode, default=None)


def _backwards(nodes: QuerySet[Node], query: ObjectQuery) -> Iterator[ObjectEntry]:
    """Yield the objects at ``nodes`` in reverse order; a folder is passed over once it is known."""
    nodes = nodes.filter(versions__cluster=Cluster.CURRENT, **name_range("name", query.prefix))
    if query.end_marker:
        nodes = nodes.filter(name__gt=query.end_marker)
    start = query.marker
    count = _STEPS if query.delimiter else query.limit
    while True:
        page = (nodes.filter(name__lt=start) if start else nodes).order_by("-name")
        rows = list(page.values_list("name", *(f"versions__{column}" for column in COLUMNS))[:count])
        for row in rows:
            yield ObjectEntry(*row)
        if len(rows) < count:
            return
        start = folder_of(rows[-1][0], query) or rows[-1][0]


def folder_end(folder: str) -> str:
    """Return the first name behind a folder; raise BadRequest where there can be none."""
    end = prefix_end(folder)
    if end is None or len(end) < len(folder):
        raise BadRequest("The delimiter cannot be the last character of Unicode.")
    return end


def _page(query: ObjectQuery, entries: Iterable[ObjectEntry]) -> list[Entry]:
    """Cut one page out of objects in order, folding names below the delimiter into folders."""
    if not query.delimiter:
        return list(islice(entries, query.limit))
    page: list[Entry] = []
    last = ""
    for entry in entries:
        folder = folder_of(entry.name, query)
        if folder is None:
            page.append(entry)
            last = entry.name
        elif query.virtual and folder != last and not (query.folds_ends and folder == query.marker):
            page.append(Subdir(folder))
            last = folder
        if len(page) >= query.limit:
            break
    return page


def _walking(nodes: QuerySet[Node], query: ObjectQuery) -> Iterator[ObjectEntry]:
    """Yield the objects at ``nodes`` in order, from the page's beginning on."""
    start, inclusive = _start(query)
    count = query.limit if not query.delimiter else _STEPS
    nodes = nodes.filter(versions__cluster=Cluster.CURRENT, **name_range("name", query.prefix))
    nodes = nodes.order_by("name")
    if query.end_marker:
        nodes = nodes.filter(name__lt=query.end_marker)
    while True:
        rows = list(
            nodes.filter(**{"name__gte" if inclusive else "name__gt": start}).values_list(
                "name", *(f"versions__{column}" for column in COLUMNS), "public_link__url"
            )[:count]
        )
        for row in rows:
            yield ObjectEntry(*row)
        if len(rows) < count:
            return
        folder = folder_of(rows[-1][0], query)
        start, inclusive = (rows[-1][0], False) if folder is None else (folder_end(folder), True)


def _jumping(container: Node, query: ObjectQuery) -> Iterator[ObjectEntry]:
    """Yield the objects that are listed, and of each folder only the first object."""
    start, inclusive = _start(query)
    count = min(query.limit + 1, _STEPS)
    while True:
        rows = _jump(container, query, start if inclusive else start + "\1", count)
        for row in rows:
            yield ObjectEntry(
                row.name, row.hash, row.size, row.type, row.mtime, row.muser, row.uuid, row.checksum,  # type: ignore[attr-defined]
                row.pk, row.available, row.map_check_timestamp, row.public_url,  # type: ignore[attr-defined]
            )  # fmt: skip
        if len(rows) < count:
            return
        name: str = rows[-1].name  # type: ignore[attr-defined]
        folder = folder_of(name, query)
        start, inclusive = (name, False) if folder is None else (folder_end(folder), True)


def _jump(container: Node, query: ObjectQuery, start: str, count: int) -> list[Version]:
    """Let the database walk ``count`` steps: to the next name, or past the folder of the name before."""
    position = "strpos" if connection.vendor == "postgresql" else "instr"
    folder_end(query.delimiter)
    end = end_of(query)
    below = "AND n.name < %(end)s" if end is not None else ""
    first = f"n.parent_id = %(parent)s AND n.is_live {below}"
    shorter = "<=" if query.folds_ends else "<"
    found = f"{position}(substr(walk.name, %(after)s), %(delimiter)s)"
    statement = f"""
        WITH RECURSIVE walk(name) AS (
            SELECT (SELECT n.name FROM pithos_node n WHERE {first} AND n.name >= %(start)s
                    ORDER BY n.name LIMIT 1)
            UNION ALL
            SELECT (SELECT n.name FROM pithos_node n
                    WHERE {first} AND n.name >= CASE
                        WHEN {found} > 0
                             AND {found} + %(skipped)s {shorter} length(walk.name)
                        THEN substr(walk.name, 1, {found} + %(skipped)s - 1) || %(successor)s
                        ELSE walk.name || %(lowest)s END
                    ORDER BY n.name LIMIT 1)
            FROM walk WHERE walk.name IS NOT NULL
        )
        SELECT v.*, n.name AS name, link.url AS public_url
        FROM (SELECT name FROM walk WHERE name IS NOT NULL LIMIT %(count)s) steps
        JOIN pithos_node n ON n.parent_id = %(parent)s AND n.name = steps.name
        JOIN pithos_version v ON v.node_id = n.id AND v.cluster = 0
        LEFT JOIN pithos_public_link link ON link.node_id = n.id
        ORDER BY n.name
    """  # noqa: S608  (only constants are put into the text)
    skipped = len(query.prefix) + len(query.delimiter) - 1
    parameters = {
        "parent": container.pk,
        "start": start,
        "end": end,
        "after": len(query.prefix) + 1,
        "delimiter": query.delimiter,
        "skipped": skipped,
        "successor": folder_end(query.delimiter)[-1],
        "lowest": "\1",
        "count": count,
    }
    return list(Version.objects.raw(statement, parameters))


def _then(container: Node, query: ObjectQuery, shared: QuerySet[Node] | None) -> Iterator[ObjectEntry]:
    """Yield the objects as they were at the moment of the query; ``shared`` are those shared today."""
    assert query.until is not None
    start, inclusive = _start(query)
    beginning = {"node__name__gte" if inclusive else "node__name__gt": start}
    rows = asof.versions(container, query.until).filter(**name_range("node__name", query.prefix))
    rows = rows.filter(**beginning)
    if shared is not None:
        rows = rows.filter(node__in=shared)
    for condition in _meta_conditions(query.meta, "version"):
        rows = rows.filter(condition)
    columns = rows.order_by("node__name").values_list("node__name", *COLUMNS)
    for row in columns.iterator(chunk_size=_STEPS):
        yield ObjectEntry(*row)


def _add_sharing(credentials: Credentials, container: Node, entries: list[ObjectEntry], owner: bool) -> None:
    """Put the objects' own grants on the entries, and hide public ids from others. At most two queries."""
    if not entries:
        return
    grants: dict[str, list[Grant]] = {}
    first, last = sorted((entries[0].name, entries[-1].name), key=encode)
    rows = Grant.objects.filter(
        node__parent=container, node__name__gte=first, node__name__lte=last
    ).select_related("node")
    for grant in rows:
        grants.setdefault(grant.node.name, []).append(grant)
    if owner and not grants:
        return
    holders = frozenset() if owner else permissions.holders_of(credentials.user_id)
    for entry in entries:
        if not owner:
            entry.public_id = None
        if entry.name in grants:
            entry.sharing = permissions.sharing_of(grants[entry.name])
            if not owner:
                entry.allowed_to = "write" if entry.sharing.write & holders else "read"
