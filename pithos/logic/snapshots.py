"""Objects whose data comes later, brought by another service (object-storage contract 20.1)."""

from __future__ import annotations

from collections.abc import Mapping

from pithos.blocks import BlockCorrupt, BlockMissing
from pithos.blocks.opened import block_store
from pithos.hashing import block_count
from pithos.logic import permissions, possession, statistics, versions
from pithos.logic.domains import ObjectInfo, check_items, current_by_id, info_of, locked_by_id
from pithos.logic.metadata import replaced
from pithos.logic.nodes import (
    Address,
    create_container,
    ensure_account,
    find_container,
    latest_in,
    lock_container,
)
from pithos.logic.objects import address_of
from pithos.logic.uploads import Wish, finish_write
from pithos.models import Availability, Cluster, Node, Version
from pithos.paths import check_account, check_container, check_object
from pithos.streams import store_faults
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict

_MAX_SIZE = 2**63 - 1


@retry_on_deadlock
def register_object_map(
    credentials: Credentials,
    *,
    address: Address,
    size: int,
    mapfile: str | None,
    content_type: str,
    domain: str,
    items: Mapping[str, str],
) -> str:
    """Make a snapshot object of ``size`` bytes, not readable yet, and return its uuid.

    The container is made if it is missing; the size is charged now. Raises Forbidden, Conflict, OverLimit.
    """
    check_account(address.account)
    check_container(address.container)
    check_object(address.name)
    if not 0 <= size <= _MAX_SIZE:
        raise BadRequest("size must be a number of bytes.")
    if items:
        check_items(domain, items)
    permissions.require_owner(credentials, address.account)
    muser = credentials.user_id or address.account
    with atomic():
        container = _ensured_container(address, muser)
        previous = latest_in(container, address.name)
        if previous is not None and previous.cluster == Cluster.CURRENT:
            raise Conflict("There is an object of this name already.")
        state = versions.State(
            hash="",
            size=size,
            type=content_type,
            checksum="",
            mapfile=mapfile,
            available=Availability.PENDING,
            is_snapshot=True,
            map_check_timestamp=clock.now(),
        )
        written = finish_write(
            credentials,
            container=container,
            address=address,
            previous=previous,
            state=state,
            domains={domain: replaced(items)} if items else {},
            wish=Wish(content_type=content_type),
            blocks=(),
        )
        audit.record(credentials, "object.snapshot", f"object:{written.uuid}", name=address.name, size=size)
    return written.uuid


@retry_on_deadlock
def update_object_status(
    credentials: Credentials, *, uuid: str, status: int, mapfile: str | None = None
) -> ObjectInfo:
    """Set a snapshot's state; before it becomes readable its map and all its blocks are looked at.

    The version stays the same one. Raises NotFound, Forbidden, and BadRequest for an unknown state, an object
    that is no snapshot, or data that is not there.
    """
    if status not in Availability.values:
        raise BadRequest("status must be -1, 0 or 1.")
    seen = current_by_id(uuid)
    address = address_of(seen)
    permissions.require_owner(credentials, address.account)
    if not seen.is_snapshot:
        raise BadRequest("The object is no snapshot.")
    name = mapfile or seen.mapfile
    digests = _stored_blocks(name, seen.size) if status == Availability.READY else []
    with atomic():
        container, current = locked_by_id(address, uuid)
        changes = {"available": status, "mapfile": name, "map_check_timestamp": clock.now()}
        if status == Availability.READY:
            changes["hash"] = name.partition("_")[0] if name else block_store().empty.hex()
            assert container.parent is not None
            possession.remember(container.parent, digests)
        Version.objects.filter(pk=current.pk).update(**changes)
        statistics.touch(container, clock.now())
        audit.record(credentials, "object.status", f"object:{uuid}", status=int(status))
    return info_of(current_by_id(uuid), None)


def _ensured_container(address: Address, muser: str) -> Node:
    """Return the locked container, made if this is its first snapshot."""
    account = ensure_account(address.account)
    if find_container(address.account, address.container) is None:
        made = create_container(account, address.container, muser=muser)
        if made is not None:
            statistics.touch(account, clock.now())
    return lock_container(address.account, address.container)


def _stored_blocks(mapfile: str | None, size: int) -> list[bytes]:
    """Return a map's blocks, all of which are there and protected from collection; raise BadRequest."""
    store = block_store()
    count = block_count(size, store.block_size)
    if count and (not mapfile or not store.is_name("maps", mapfile)):
        raise BadRequest("The snapshot has no map that this store could read.")
    with store_faults():
        try:
            digests = store.get_map(mapfile, count=count)
            store.protect_map(mapfile, digests)
        except (BlockMissing, BlockCorrupt) as error:
            raise BadRequest("The snapshot's map or one of its blocks is not stored.") from error
    return digests
