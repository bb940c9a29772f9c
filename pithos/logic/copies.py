"""Copying and moving objects without touching their data (object-storage contract 8.3, 8.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pithos.logic import (
    deletes,
    metadata,
    permissions,
    possession,
    public_links,
    quota,
    statistics,
    version_copies,
    versions,
)
from pithos.logic.batches import batches
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import (
    Address,
    find_container,
    find_current,
    find_version,
    later_than,
    latest_in,
    lock_containers,
    parse_serial,
)
from pithos.logic.objects import Part, digests_of, etag_of, load_map, require_available
from pithos.logic.sharing import set_sharing
from pithos.logic.statistics import Delta
from pithos.logic.uploads import Wish, Written, written_of
from pithos.logic.version_copies import Source
from pithos.models import Availability, Cluster, Node, Version
from pithos.paths import check_object
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import Forbidden, NotFound


@retry_on_deadlock
def copy_object(
    credentials: Credentials,
    *,
    source: Address,
    target: Address,
    wish: Wish,
    serial: str | None = None,
    move: bool = False,
    delimiter: str = "",
    conditions_on_source: bool = True,
) -> Written:
    """Make ``target`` a copy of ``source``, or of its version ``serial``, or move it there.

    ``wish`` goes on top of what the source has; ``delimiter`` takes along all objects below the source.
    Conditions are those of the source or of the target. Raises Forbidden, NotFound, PreconditionFailed,
    OverLimit.
    """
    _require(credentials, source, target, wish, move=move)
    with atomic():
        places = lock_containers((source.account, source.container), (target.account, target.container))
        origin = places[source.account, source.container]
        goal = places[target.account, target.container]
        _require(credentials, source, target, wish, move=move)  # again, now that nobody changes it
        version = _source(source, serial)
        _check_conditions(wish, version, target, on_source=conditions_on_source)
        below = _below(credentials, origin, source, target, delimiter, move=move) if delimiter else []
        return _run(credentials, origin, goal, _Order(version, target, wish, below, move))


def _require(credentials: Credentials, source: Address, target: Address, wish: Wish, *, move: bool) -> None:
    if move:
        permissions.require_owner(credentials, source.account)
    else:
        permissions.require_read(credentials, source)
    # Clients tell a missing target container from a forbidden one (contract 8.4).
    if find_container(target.account, target.container) is None:
        raise NotFound("The target container does not exist.")
    permissions.require_write(credentials, target)
    if wish.sharing is not None and not permissions.is_owner(credentials, target.account):
        raise Forbidden("Only the account's owner may share an object.")


def _source(source: Address, serial: str | None) -> Version:
    version = find_current(source) if serial is None else find_version(source, parse_serial(serial))
    if version is None:
        raise NotFound("The source object does not exist.")
    return version


def _check_conditions(wish: Wish, version: Version, target: Address, *, on_source: bool) -> None:
    if on_source:
        wish.conditions.check_write(etag_of(version))
    else:
        existing = find_current(target)
        wish.conditions.check_write(etag_of(existing) if existing else None)


@dataclass(frozen=True)
class _Order:
    """What to copy or move: the object that the request names, by ``wish``, and all below it unchanged."""

    source: Version
    target: Address
    wish: Wish
    below: list[Source]
    move: bool


def _below(
    credentials: Credentials, origin: Node, source: Address, target: Address, delimiter: str, *, move: bool
) -> list[Source]:
    """Return the objects below a folder, and where each of them goes. A fixed number of queries."""
    prefix = source.name if source.name.endswith(delimiter) else source.name + delimiter
    beginning = target.name if prefix == source.name else target.name + delimiter
    rows = deletes.current_in(origin).filter(deletes.below_condition(prefix)).exclude(node__name=source.name)
    if not move:
        for version in rows.exclude(available=Availability.READY)[:1]:
            require_available(version)
    found = [
        Source(pk, node, size, name, check_object(beginning + name[len(prefix) :]))
        for pk, node, size, name in rows.values_list("pk", "node_id", "size", "node__name")
    ]
    names = [item.name for item in found]
    permissions.require_all(credentials, source.account, source.container, names, write=False)
    names = [item.target for item in found]
    permissions.require_all(credentials, target.account, target.container, names, write=True)
    return found


def _run(credentials: Credentials, origin: Node, goal: Node, order: _Order) -> Written:
    """Do all of it as one change with one charge."""
    if not order.move:
        require_available(order.source)
    muser = _muser(credentials, goal)
    write = _write(goal, order)  # before anything it depends on is replaced
    taken = version_copies.copy_all(goal, order.below, muser=muser, keep_uuids=order.move)
    made = versions.add_all(goal, [write], muser=muser)
    main = made.versions[0]
    if order.wish.sharing is not None:
        set_sharing(main.node, order.wish.sharing)
    public_links.set_public(main.node, order.wish.public)
    if origin.parent_id != goal.parent_id:
        assert goal.parent is not None
        possession.remember(goal.parent, _digests(order))
    delta = made.delta + taken.delta
    used = statistics.apply(goal, delta, later_than(main.mtime))
    gone = _delete_sources(credentials, origin, goal, order) if order.move else versions.Effect(Delta(), 0)
    left = gone.delta.current_bytes if origin.pk == goal.pk else 0
    quota.check_container(goal, grew=delta.current_bytes + left, used=used + left)
    charge = made.charge + taken.charge
    quota.charge_moved(
        credentials,
        taken=_purse(goal),
        quantity=charge,
        given=_purse(origin),
        freed=-gone.charge,
        name=order.target.path,
    )
    return written_of(main, charge)


def _delete_sources(credentials: Credentials, origin: Node, goal: Node, order: _Order) -> versions.Effect:
    """Delete what was moved away, unless something was moved into its place."""
    targets = {order.target.name, *(item.target for item in order.below)} if origin.pk == goal.pk else set()
    main = order.source
    moved = [(main.node.name, versions.Place(main.pk, main.node_id, main.size))]
    moved += [(item.name, versions.Place(item.pk, item.node_id, item.size)) for item in order.below]
    gone = deletes.delete_chosen(credentials, origin, [place for name, place in moved if name not in targets])
    statistics.apply(origin, gone.delta, later_than(None))
    return gone


def _write(goal: Node, order: _Order) -> versions.Write:
    """Return what is to be made of the object that the request names."""
    source, wish = order.source, order.wish
    previous = latest_in(goal, order.target.name)
    is_current = previous is not None and previous.cluster == Cluster.CURRENT
    is_itself = is_current and previous is not None and previous.node_id == source.node_id
    state = replace(
        versions.state_of(source),
        uuid=source.uuid if order.move or is_itself else "",
        type=wish.content_type or source.type,
        expires=wish.expires or _end_of(source),
    )
    domains = metadata.of_version(source)
    domains[USER_DOMAIN] = metadata.merged(domains.get(USER_DOMAIN, {}), wish.metadata)
    if wish.metadata:
        metadata.check(domains[USER_DOMAIN], wish.limits)
    return versions.Write(order.target.name, previous, state, domains)


def _end_of(source: Version) -> datetime | None:
    """Return when a copy ends: with its source, unless that is an old version whose time is over."""
    is_over = source.expires is not None and source.expires <= clock.now()
    return None if is_over and source.cluster != Cluster.CURRENT else source.expires


def _digests(order: _Order) -> set[bytes]:
    """Return the blocks of the sources, which an account that did not have them before then has."""
    found = {*digests_of(order.source)} if order.source.available == Availability.READY else set()
    for batch in batches(order.below):
        rows = Version.objects.filter(pk__in=[item.pk for item in batch], available=Availability.READY)
        for mapfile, size in rows.values_list("mapfile", "size"):
            found.update(load_map(Part(mapfile, size)))
    return found


def _purse(container: Node) -> quota.Purse:
    assert container.parent is not None
    return container.parent.name, container.policy.project


def _muser(credentials: Credentials, container: Node) -> str:
    assert container.parent is not None
    return credentials.user_id or container.parent.name
