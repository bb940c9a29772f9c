"""Versions: how an object gets its next state (object-storage contract 16).

Every function works inside a transaction in which the container is locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.conf import settings

from pithos.logic import metadata
from pithos.logic.nodes import later_than
from pithos.logic.statistics import Delta
from pithos.models import Availability, Cluster, Node, Version, Versioning


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
    )


def new_uuid() -> str:
    """Return the id of a new object."""
    return str(uuid4())


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
    metadata.check_count(domains)
    node = _node_for(container, name, previous)
    delta, freed = _supersede(container, previous)
    version = Version.objects.create(
        node=node,
        cluster=Cluster.CURRENT,
        hash=state.hash,
        size=state.size,
        type=state.type,
        source=state.source,
        mtime=later_than(previous.mtime if previous else None),
        muser=muser,
        uuid=state.uuid or new_uuid(),
        checksum=state.checksum,
        available=state.available,
        map_check_timestamp=state.map_check_timestamp,
        mapfile=state.mapfile,
        is_snapshot=state.is_snapshot,
    )
    metadata.store(version, node, domains)
    return Change(version, delta + Delta(current_count=1, current_bytes=state.size), state.size - freed)


def mark_deleted(container: Node, current: Version, *, muser: str) -> Change:
    """Put a deletion mark on top of a current version."""
    delta, freed = _supersede(container, current)
    node = current.node
    Node.objects.filter(pk=node.pk).update(is_live=False)
    version = Version.objects.create(
        node=node,
        cluster=Cluster.DELETED,
        hash=None,
        type=current.type,
        source=current.pk,
        mtime=later_than(current.mtime),
        muser=muser,
        uuid=current.uuid,
    )
    return Change(version, delta + Delta(deleted_count=1), -freed)


def keeps_history(container: Node) -> bool:
    """Tell whether superseded versions of the container's objects stay."""
    return container.policy.versioning == Versioning.AUTO


def _node_for(container: Node, name: str, previous: Version | None) -> Node:
    if previous is None:
        return Node.objects.create(parent=container, name=name)
    if not previous.node.is_live:
        Node.objects.filter(pk=previous.node_id).update(is_live=True)
        previous.node.is_live = True
    return previous.node


def _supersede(container: Node, previous: Version | None) -> tuple[Delta, int]:
    """Take the latest version off its place; return the change of sums and the bytes that are freed."""
    if previous is None:
        return Delta(), 0
    history = Delta()
    if keeps_history(container):
        Version.objects.filter(pk=previous.pk).update(cluster=Cluster.HISTORY)
        if previous.cluster == Cluster.CURRENT:
            metadata.retire(previous)
        history = Delta(history_count=1, history_bytes=previous.size)
    else:
        Version.objects.filter(pk=previous.pk).delete()
    if previous.cluster == Cluster.DELETED:
        return history + Delta(deleted_count=-1), 0
    is_free = settings.PITHOS_BACKEND_FREE_VERSIONING or not keeps_history(container)
    return (
        history + Delta(current_count=-1, current_bytes=-previous.size),
        previous.size if is_free else 0,
    )
