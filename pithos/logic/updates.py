"""Changing an object's metadata or a part of its data (object-storage contract 9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.conf import settings

from pithos.blocks.opened import block_store
from pithos.hashing import object_digest
from pithos.logic import metadata, permissions, public_links, statistics, versions
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import (
    Address,
    find_current,
    find_version,
    is_over,
    later_than,
    latest_in,
    lock_container,
    parse_serial,
)
from pithos.logic.objects import digests_of
from pithos.logic.sharing import set_sharing
from pithos.logic.splices import Patch, Stretch, splice
from pithos.logic.uploads import Wish, Written, finish_write
from pithos.models import Cluster, Node, Version
from pithos.ranges import ContentRange
from pithos.streams import md5_of, store_body, store_faults
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Forbidden, NotFound, RangeNotSatisfiable, ServiceUnavailable

_ATTEMPTS = 50


@dataclass(frozen=True)
class DataUpdate:
    """A partial write: data from ``body``, or from ``source`` (a version of it); ``truncate`` in bytes."""

    content_range: ContentRange
    body: Iterable[bytes | bytearray | memoryview] | None = None
    source: Address | None = None
    serial: str | None = None
    truncate: int | None = None


@retry_on_deadlock
def update_object_metadata(
    credentials: Credentials, *, address: Address, wish: Wish, merge: bool
) -> int | None:
    """Change sharing, publication and metadata; return the new version's number if metadata was touched.

    ``merge`` keeps what is not named. Raises Forbidden, NotFound, PreconditionFailed.
    """
    _require(credentials, address, wish)
    with atomic():
        container = lock_container(address.account, address.container)
        permissions.require_write(credentials, address)  # again, now that nobody changes it
        current = _current(container, address, wish)
        if wish.sharing is not None:
            set_sharing(current.node, wish.sharing)
        public_links.set_public(current.node, wish.public)
        if wish.sharing is not None or wish.public is not None:
            audit.record(
                credentials,
                "object.share",
                f"object:{current.uuid}",
                sharing=None if wish.sharing is None else wish.sharing.header,
                public=wish.public,
            )
            statistics.touch(container, later_than(None))
        if not wish.metadata and merge:
            return None
        return write_metadata(
            credentials, container, current, USER_DOMAIN, dict(wish.metadata), merge=merge
        ).pk


def write_metadata(
    credentials: Credentials,
    container: Node,
    current: Version,
    domain: str,
    items: dict[str, str],
    *,
    merge: bool,
) -> Version:
    """Give an object of a locked container a version with changed metadata of one domain."""
    domains = metadata.of_version(current)
    old = domains.get(domain, {})
    domains[domain] = metadata.merged(old, items) if merge else metadata.replaced(items)
    if domain == USER_DOMAIN:
        metadata.check(domains[domain])
    assert container.parent is not None
    change = versions.add(
        container,
        current.node.name,
        current,
        versions.state_of(current),
        domains,
        muser=credentials.user_id or container.parent.name,
    )
    statistics.apply(container, change.delta, change.version.mtime)
    return change.version


def update_object_data(
    credentials: Credentials, *, address: Address, change: DataUpdate, wish: Wish, merge: bool
) -> Written:
    """Write a part of an object.

    The data is stored first, then the blocks are worked out from the version that is current, and if another
    write came in between, worked out again: no lock is held while data moves, and parallel appends all
    arrive. Raises Forbidden, NotFound, PreconditionFailed, RangeNotSatisfiable, BadRequest, OverLimit.
    """
    _require(credentials, address, wish)
    current = _found(find_current(address))
    wish.check_conditions(current)
    _offset(change.content_range, current.size)
    data = _data(credentials, address, change)
    for _ in range(_ATTEMPTS):
        written = _apply(credentials, address=address, change=change, data=data, wish=wish, merge=merge)
        if written is not None:
            return written
    raise ServiceUnavailable("Too many writes to the object at the same time. Try again.")


def _require(credentials: Credentials, address: Address, wish: Wish) -> None:
    permissions.require_write(credentials, address)
    if wish.sharing is not None and not permissions.is_owner(credentials, address.account):
        raise Forbidden("Only the account's owner may share an object.")
    metadata.check(metadata.replaced(wish.metadata), wish.limits)


def _found(version: Version | None) -> Version:
    if version is None:
        raise NotFound("The object does not exist.")
    return version


def _current(container: Node, address: Address, wish: Wish) -> Version:
    latest = latest_in(container, address.name)
    is_there = latest is not None and latest.cluster == Cluster.CURRENT and not is_over(latest)
    current = _found(latest if is_there else None)
    wish.check_conditions(current)
    return current


def _offset(content_range: ContentRange, size: int) -> int:
    """Return where the data goes in an object of ``size`` bytes (contract 9.2, in its order of checks)."""
    offset = size if content_range.offset is None else content_range.offset
    if offset > size:
        raise RangeNotSatisfiable(f"The offset is beyond the object's {size} bytes.")
    if content_range.total is not None and content_range.total != size:
        raise RangeNotSatisfiable(f"The object has {size} bytes, not {content_range.total}.")
    return offset


def _data(credentials: Credentials, address: Address, change: DataUpdate) -> Stretch | None:
    """Return the data to write, stored; None if it is the object's own, which each attempt looks at anew."""
    if change.source is None:
        content = store_body(block_store(), change.body or ())
        if change.content_range.length not in (None, content.size):
            raise BadRequest("The body's length is not the length of Content-Range.")
        return Stretch(content.digests, content.size)
    permissions.require_read(credentials, change.source)
    if change.serial is not None:
        return _beginning_of(_found(find_version(change.source, parse_serial(change.serial))), change)
    if change.source == address:
        return None
    return _beginning_of(_found(find_current(change.source)), change)


def _beginning_of(source: Version, change: DataUpdate) -> Stretch:
    """Return as many bytes of a source as the change takes."""
    length = change.content_range.length
    if length is not None and length > source.size:
        raise BadRequest(f"The source object has only {source.size} bytes.")
    whole = Stretch(digests_of(source), source.size)
    if length is None or length == source.size:
        return whole
    return Stretch(splice(block_store(), whole, Patch(Stretch((), 0), 0, length)), length)


def _apply(
    credentials: Credentials,
    *,
    address: Address,
    change: DataUpdate,
    data: Stretch | None,
    wish: Wish,
    merge: bool,
) -> Written | None:
    """Try to put ``data`` on the current version; None if it was overtaken by another write."""
    store = block_store()
    base = _found(find_current(address))
    if base.is_snapshot:
        raise Forbidden("A snapshot's data cannot be changed.")
    if base.is_static_manifest:
        raise BadRequest("A static large object is written as a whole, not in parts.")
    offset = _offset(change.content_range, base.size)
    if data is None:
        data = _beginning_of(base, change)
    size = max(base.size, offset + data.size)
    if change.content_range.total is not None and size > base.size:
        raise RangeNotSatisfiable("The data would reach beyond the object's end.")
    if change.truncate is not None:
        size = min(size, change.truncate)
    digests = splice(store, Stretch(digests_of(base), base.size), Patch(data, offset, size))
    md5 = md5_of(store, digests, size) if settings.PITHOS_UPDATE_MD5 else ""
    with store_faults():
        mapfile = store.put_map(digests)
    state = replace(
        versions.state_of(base),
        hash=object_digest(digests, store.algorithm).hex(),
        size=size,
        checksum=md5,
        mapfile=mapfile,
    )
    return _commit(
        credentials, address=address, base=base, state=state, digests=digests, wish=wish, merge=merge
    )


@retry_on_deadlock
def _commit(
    credentials: Credentials,
    *,
    address: Address,
    base: Version,
    state: versions.State,
    digests: list[bytes],
    wish: Wish,
    merge: bool,
) -> Written | None:
    with atomic():
        container = lock_container(address.account, address.container)
        permissions.require_write(credentials, address)
        current = _current(container, address, wish)
        if current.pk != base.pk:
            return None
        domains = metadata.of_version(current)
        old = domains.get(USER_DOMAIN, {})
        domains[USER_DOMAIN] = (
            metadata.merged(old, wish.metadata) if merge else metadata.replaced(wish.metadata)
        )
        if wish.metadata:
            metadata.check(domains[USER_DOMAIN], wish.limits)
        return finish_write(
            credentials,
            container=container,
            address=address,
            previous=current,
            state=state,
            domains=domains,
            wish=wish,
            blocks=digests,
        )
