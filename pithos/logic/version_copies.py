"""Copies of many objects in one go: the database makes them from each other, no row travels.

Every function works inside a transaction in which both containers are locked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from pithos.logic import versions
from pithos.logic.batches import batches, remove_keys
from pithos.logic.nodes import later_than
from pithos.logic.statistics import Delta
from pithos.logic.versions import Effect, Place
from pithos.models import Attribute, Cluster, Node, Version


class Source(NamedTuple):
    """A current version to copy: ``size`` in bytes, ``name`` of its object, ``target`` of the copy's."""

    pk: int
    node_id: int
    size: int
    name: str
    target: str


class _Latest(NamedTuple):
    """What stands in a copy's way: the latest version of its name, a deletion mark included."""

    place: Place
    is_live: bool
    mtime: datetime


def copy_all(container: Node, sources: Sequence[Source], *, muser: str, keep_uuids: bool) -> Effect:
    """Make the sources' copies in ``container``, each with the metadata and type of its source.

    ``keep_uuids``: as a move does; a copy onto itself always keeps its own. A fixed number of queries for
    each batch. What is replaced goes at the end, because it may be a source of a later copy.
    """
    standing: dict[str, _Latest] = {}
    for batch in batches(sources):
        standing |= _latest_of(container, [source.target for source in batch])
    before = 0
    for places in batches([latest.place for latest in standing.values()]):
        before += versions.cost_before(places)
    nodes: list[int] = []
    for batch in batches(sources):
        nodes += _copy_batch(container, batch, standing, muser, keep_uuids)
    replaced = [latest.place for latest in standing.values()]
    if not versions.keeps_history(container):
        for places in batches(replaced):
            remove_keys(Version, [place.pk for place in places])
    size = sum(source.size for source in sources)
    after = size
    if not versions.is_history_free():
        after = sum(versions.cost_after(part, 0) for part in batches(nodes))
    made = Delta(current_count=len(sources), current_bytes=size)
    return Effect(made + versions.sums_without(container, replaced), after - before)


def _latest_of(container: Node, names: Sequence[str]) -> dict[str, _Latest]:
    """Return what stands under these names.

    In two queries, because a join of two long lists is easily planned as one loop inside the other.
    """
    rows = Node.objects.filter(parent=container, name__in=names).values_list("pk", "name", "is_live")
    nodes = {pk: (name, is_live) for pk, name, is_live in rows}
    latest = Version.objects.filter(node__in=nodes.keys()).exclude(cluster=Cluster.HISTORY)
    found: dict[str, _Latest] = {}
    for pk, node, size, cluster, mtime in latest.values_list("pk", "node_id", "size", "cluster", "mtime"):
        name, is_live = nodes[node]
        found[name] = _Latest(Place(pk, node, size, cluster), is_live, mtime)
    return found


def _copy_batch(
    container: Node,
    batch: Sequence[Source],
    standing: dict[str, _Latest],
    muser: str,
    keep_uuids: bool,
) -> list[int]:
    """Copy a batch and return the nodes of the copies."""
    there = {source.target: standing[source.target] for source in batch if source.target in standing}
    versions.make_history([latest.place for latest in there.values()])
    dead = [latest.place.node_id for latest in there.values() if not latest.is_live]
    if dead:
        Node.objects.filter(pk__in=dead).update(is_live=True)
    fresh = [Node(parent=container, name=source.target) for source in batch if source.target not in there]
    made = {node.name: node.pk for node in Node.objects.bulk_create(fresh)}
    nodes = {name: latest.place.node_id for name, latest in there.items()} | made
    rows = []
    for source in batch:
        node = nodes[source.target]
        keeps = keep_uuids or node == source.node_id
        rows.append((source.pk, node, "" if keeps else versions.new_uuid()))
    last = max((latest.mtime for latest in there.values()), default=None)
    _insert_versions(rows, muser=muser, mtime=later_than(last))
    _insert_attributes(container, list(nodes.values()))
    return list(nodes.values())


def _insert_versions(rows: Sequence[tuple[int, int, str]], *, muser: str, mtime: datetime) -> None:
    """Make versions from others, given as (source, node, new id of the object or "" to keep it)."""
    taken = {"node": "v.node", "source": "s.id", "uuid": "CASE v.uuid WHEN '' THEN s.uuid ELSE v.uuid END"}
    given = {"cluster": Cluster.CURRENT, "muser": muser, "mtime": mtime}
    columns, expressions = [], []
    parameters: list[Any] = []
    for field in Version._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(f'"{field.column}"')
        expressions.append("%s" if field.name in given else taken.get(field.name, f's."{field.column}"'))
        if field.name in given:
            parameters.append(field.get_db_prep_save(given[field.name], connection))
    values = ", ".join(["(%s, %s, %s)"] * len(rows))
    statement = f"""
        WITH v(source, node, uuid) AS (VALUES {values})
        INSERT INTO pithos_version ({", ".join(columns)}) SELECT {", ".join(expressions)}
        FROM v JOIN pithos_version s ON s.id = v.source
    """  # noqa: S608  (only constants are put into the text)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*(item for row in rows for item in row), *parameters])


def _insert_attributes(container: Node, nodes: Sequence[int]) -> None:
    """Give the current versions of ``nodes``, just copied, the metadata of their sources."""
    columns = ", ".join(
        f'"{field.column}"' for field in Attribute._meta.concrete_fields if not field.primary_key
    )
    taken = {"version": "n.id", "node": "n.node_id", "parent": "%s", "is_latest": "%s"}
    expressions = ", ".join(
        taken.get(field.name, f'a."{field.column}"')
        for field in Attribute._meta.concrete_fields
        if not field.primary_key
    )
    given: dict[str, int | bool] = {"parent": container.pk, "is_latest": True}
    parameters = [given[f.name] for f in Attribute._meta.concrete_fields if f.name in given]
    statement = f"""
        INSERT INTO pithos_attribute ({columns}) SELECT {expressions}
        FROM pithos_version n JOIN pithos_attribute a ON a.version_id = n.source
        WHERE n.cluster = %s AND n.node_id IN ({", ".join(["%s"] * len(nodes))})
    """  # noqa: S608  (only constants are put into the text)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, Cluster.CURRENT, *nodes])
