"""Versions: how an object gets its next state (object-storage contract 16).

Every function works inside a transaction in which the container is locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from pithos.logic import metadata
from pithos.logic.batches import batches, remove_keys
from pithos.logic.nodes import later_than
from pithos.logic.statistics import Delta
from pithos.models import Availability, Cluster, Node, Version, Versioning
from synnefo.db import prepared
from synnefo.db.rows import insert_all, insert_under


@dataclass(frozen=True)
class State:
    """What a version is to be: ``size`` in bytes, ``hash`` and ``checksum`` (MD5) in hexadecimal."""

    hash: str
    size: int
    type: str
    checksum: str
    mapfile: str | None
    uuid: str = ""
    source: int | None = None
    available: int = Availability.READY
    is_snapshot: bool = False
    map_check_timestamp: datetime | None = None
    is_static_manifest: bool = False
    expires: datetime | None = None


@dataclass(frozen=True)
class Change:
    """A version just made, and what it did to the container: sums, and bytes to charge."""

    version: Version
    delta: Delta
    charge: int


def state_of(version: Version) -> State:
    """Return a version's state, for making another from it."""
    return State(
        hash=version.hash or "",
        size=version.size,
        type=version.type,
        checksum=version.checksum,
        mapfile=version.mapfile,
        uuid=version.uuid,
        source=version.pk,
        available=version.available,
        is_snapshot=version.is_snapshot,
        map_check_timestamp=version.map_check_timestamp,
        is_static_manifest=version.is_static_manifest,
        expires=version.expires,
    )


def new_uuid() -> str:
    """Return the id of a new object."""
    return str(uuid4())


class Place(NamedTuple):
    """What deleting an object has to know of its current version; ``size`` in bytes."""

    pk: int
    node_id: int
    size: int
    cluster: int = Cluster.CURRENT


@dataclass(frozen=True)
class Effect:
    """What a change did to the container: sums, and bytes to charge."""

    delta: Delta
    charge: int


@dataclass(frozen=True)
class Write:
    """One name's next state and metadata; ``previous`` is its latest version, a deletion mark included."""

    name: str
    previous: Version | None
    state: State
    domains: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Changes:
    """Versions made together, in the order asked for, and what they did to the container in sum."""

    versions: list[Version]
    delta: Delta
    charge: int


def add(
    container: Node,
    name: str,
    previous: Version | None,
    state: State,
    domains: Mapping[str, Mapping[str, str]],
    *,
    muser: str,
) -> Change:
    """Make the next version of a name; ``previous`` is its latest version, a deletion mark included."""
    made = add_all(container, [Write(name, previous, state, domains)], muser=muser)
    return Change(made.versions[0], made.delta, made.charge)


def add_all(container: Node, writes: Sequence[Write], *, muser: str) -> Changes:
    """Make the next versions of different names. A fixed number of queries for each batch of them."""
    made: list[Version] = []
    delta, charge = Delta(), 0
    for batch in batches(writes):
        previous = [write.previous for write in batch if write.previous is not None]
        before = cost_before(previous)
        if len(batch) == 1 and not previous:
            nodes, rows, change = *_first(container, batch[0], muser), Delta()
        else:
            nodes = _nodes_for(container, batch)
            change = _supersede(container, previous)
            rows = [_version(nodes[write.name], write, muser) for write in batch]
            insert_all(rows)
        metadata.store_all(
            (row, nodes[write.name], write.domains) for row, write in zip(rows, batch, strict=True)
        )
        made += rows
        size = sum(write.state.size for write in batch)
        delta = delta + change + Delta(current_count=len(batch), current_bytes=size)
        charge += cost_after([row.node_id for row in rows], size) - before
    return Changes(made, delta, charge)


def mark_deleted(container: Node, chosen: Sequence[Version | Place], *, muser: str) -> Effect:
    """Put deletion marks on current versions. A fixed number of queries for each batch of them."""
    delta, charge = Delta(), 0
    for batch in batches(chosen):
        nodes, serials = [place.node_id for place in batch], [place.pk for place in batch]
        before = cost_before(batch)
        _mark(nodes, serials, muser)
        if not keeps_history(container):
            remove_keys(Version, serials)
        delta = delta + sums_without(container, batch) + Delta(deleted_count=len(batch))
        charge += cost_after(nodes, 0) - before
    return Effect(delta, charge)


def cost(rows: QuerySet[Version]) -> int:
    """Return the bytes that all versions of some nodes are charged for.

    Where history is charged, a superseded version counts unless the next one has the same data: a change of
    metadata alone costs nothing (object-storage contract 17.1). At most two queries.
    """
    current = rows.filter(cluster=Cluster.CURRENT).aggregate(total=Coalesce(Sum("size"), 0))["total"]
    if settings.PITHOS_BACKEND_FREE_VERSIONING:
        return int(current)
    history = charged_history(rows).aggregate(total=Coalesce(Sum("size"), 0))["total"]
    return int(current + history)


def charged_history(rows: QuerySet[Version]) -> QuerySet[Version]:
    """Return those superseded versions among ``rows`` that count where history is charged."""
    following = Version.objects.filter(node=OuterRef("node"), mtime__gt=OuterRef("mtime")).order_by("mtime")
    return (
        rows.filter(cluster=Cluster.HISTORY)
        .annotate(
            next_hash=Subquery(following.values("hash")[:1]), next_size=Subquery(following.values("size")[:1])
        )
        .filter(Q(next_hash=None) | ~Q(next_hash=F("hash")) | ~Q(next_size=F("size")))
    )


def cost_before(previous: Sequence[Version | Place]) -> int:
    """Return what the nodes of these latest versions cost now."""
    if settings.PITHOS_BACKEND_FREE_VERSIONING:
        return sum(version.size for version in previous if version.cluster == Cluster.CURRENT)
    return cost(Version.objects.filter(node__in=[version.node_id for version in previous]))


def cost_after(nodes: Sequence[int], current: int) -> int:
    """Return what nodes cost whose current versions, just made, have ``current`` bytes."""
    if settings.PITHOS_BACKEND_FREE_VERSIONING:
        return current
    return cost(Version.objects.filter(node__in=nodes))


def is_history_free() -> bool:
    """Tell whether superseded versions are not charged."""
    return bool(settings.PITHOS_BACKEND_FREE_VERSIONING)


def keeps_history(container: Node) -> bool:
    """Tell whether superseded versions of the container's objects stay."""
    return bool(container.policy.versioning == Versioning.AUTO)


def _version(node: Node, write: Write, muser: str) -> Version:
    state = write.state
    return Version(
        node=node,
        cluster=Cluster.CURRENT,
        hash=state.hash,
        size=state.size,
        type=state.type,
        source=state.source,
        mtime=later_than(write.previous.mtime if write.previous else None),
        muser=muser,
        uuid=state.uuid or new_uuid(),
        checksum=state.checksum,
        available=state.available,
        map_check_timestamp=state.map_check_timestamp,
        mapfile=state.mapfile,
        is_snapshot=state.is_snapshot,
        is_static_manifest=state.is_static_manifest,
        expires=state.expires,
    )


_BURY = "UPDATE pithos_node SET is_live = FALSE WHERE id = %s"


def _mark(nodes: Sequence[int], serials: Sequence[int], muser: str) -> None:
    """Make the current versions of nodes history and put deletion marks in their place."""
    marks, values = _insert_marks(len(serials), connection.vendor), [*_values_of_marks(muser), *serials]
    if len(serials) == 1:
        prepared.execute_all((_SUPERSEDE, serials), (_RETIRE, serials), (marks, values), (_BURY, nodes))
        return
    Version.objects.filter(pk__in=serials).update(cluster=Cluster.HISTORY)
    metadata.retire_all(serials)
    with connection.cursor() as cursor:
        cursor.execute(marks, values)
    Node.objects.filter(pk__in=nodes).update(is_live=False)


#: Columns of a deletion mark that are taken from the version it stands for.
_TAKEN = {"node": "node_id", "type": "type", "uuid": "uuid", "source": "id"}
_MARK_FIELDS = [field for field in Version._meta.concrete_fields if not field.primary_key]


@lru_cache(maxsize=8)
def _insert_marks(count: int, vendor: str) -> str:
    """Return the statement that makes deletion marks from ``count`` versions: no row travels."""
    later = "GREATEST(%s, mtime + interval '1 microsecond')" if vendor == "postgresql" else "max(%s, mtime)"
    taken = {**_TAKEN, "mtime": later}
    columns = ", ".join(f'"{field.column}"' for field in _MARK_FIELDS)
    expressions = ", ".join(taken.get(field.name, "%s") for field in _MARK_FIELDS)
    return f"""
        INSERT INTO pithos_version ({columns}) SELECT {expressions}
        FROM pithos_version WHERE id IN ({", ".join(["%s"] * count)})
    """  # noqa: S608  (only constants are put into the text)


def _values_of_marks(muser: str) -> list[Any]:
    given = {"cluster": Cluster.DELETED, "hash": None, "muser": muser, "mtime": later_than(None)}
    return [
        field.get_db_prep_save(given.get(field.name, field.get_default()), connection)
        for field in _MARK_FIELDS
        if field.name not in _TAKEN
    ]


def _first(container: Node, write: Write, muser: str) -> tuple[dict[str, Node], list[Version]]:
    """Make a name's node and its first version. One query."""
    node = Node(parent=container, name=write.name)
    version = _version(node, write, muser)
    insert_under(node, version, "node")
    return {write.name: node}, [version]


def _nodes_for(container: Node, batch: Sequence[Write]) -> dict[str, Node]:
    """Return the nodes of the written names, made where there are none, live again where they were dead."""
    nodes = {write.name: write.previous.node for write in batch if write.previous is not None}
    dead = [node for node in nodes.values() if not node.is_live]
    if dead:
        Node.objects.filter(pk__in=[node.pk for node in dead]).update(is_live=True)
        for node in dead:
            node.is_live = True
    fresh = [Node(parent=container, name=write.name) for write in batch if write.previous is None]
    if fresh:
        insert_all(fresh)
        nodes |= {node.name: node for node in fresh}
    return nodes


def _supersede(container: Node, superseded: Sequence[Version]) -> Delta:
    """Take latest versions off their place and return the change of sums."""
    if not superseded:
        return Delta()
    if keeps_history(container):
        make_history(superseded)
    else:
        remove_keys(Version, [version.pk for version in superseded])
    return sums_without(container, superseded)


_SUPERSEDE = f"UPDATE pithos_version SET cluster = {Cluster.HISTORY:d} WHERE id = %s"  # noqa: S608  (a constant)
_RETIRE = "UPDATE pithos_attribute SET is_latest = FALSE WHERE version_id = %s AND is_latest"


def make_history(superseded: Sequence[Version | Place]) -> None:
    """Take latest versions off their place; their metadata is no longer that of their nodes."""
    if not superseded:
        return
    if len(superseded) == 1:
        serial = superseded[0].pk
        prepared.execute_all((_SUPERSEDE, [serial]), (_RETIRE, [serial]))
        return
    Version.objects.filter(pk__in=[place.pk for place in superseded]).update(cluster=Cluster.HISTORY)
    current = [place.pk for place in superseded if place.cluster == Cluster.CURRENT]
    if current:
        metadata.retire_all(current)


def sums_without(container: Node, superseded: Sequence[Version | Place]) -> Delta:
    """Return how sums change when these latest versions are no longer that."""
    current = [place.size for place in superseded if place.cluster == Cluster.CURRENT]
    lost = Delta(
        current_count=-len(current),
        current_bytes=-sum(current),
        deleted_count=len(current) - len(superseded),
    )
    if not keeps_history(container):
        return lost
    size = sum(place.size for place in superseded)
    return lost + Delta(history_count=len(superseded), history_bytes=size)
