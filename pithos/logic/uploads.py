"""Writing whole objects: from a body, or from a list of blocks (object-storage contract 8.1, 8.2).

The body is read and stored before the transaction begins. The transaction locks the container, looks again at
what the request depends on, and then makes the version, its charge and the sums together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from pithos.blocks import BlockStore
from pithos.blocks.opened import block_store
from pithos.conditions import NO_CONDITIONS, Conditions
from pithos.hashing import block_count, object_digest
from pithos.logic import metadata, permissions, possession, public_links, quota, statistics, versions
from pithos.logic.metadata import USER_DOMAIN, Domains, Limits
from pithos.logic.nodes import (
    Address,
    create_container,
    ensure_account,
    find_container,
    find_current,
    get_container,
    is_over,
    lock_with_latest,
)
from pithos.logic.objects import digests_of, etag_of
from pithos.logic.permissions import Sharing
from pithos.logic.sharing import set_sharing
from pithos.logic.versions import State
from pithos.models import Availability, Cluster, Node, Version
from pithos.streams import Content, md5_of, store_body, store_faults
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.db import prepared
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, Unprocessable

#: Bytes of a body that is stored before anybody looks whether it can be kept.
_SMALL = 64 << 10


@dataclass(frozen=True)
class Wish:
    """What a writing request says about the object besides its data.

    ``content_type`` None keeps or guesses it; ``sharing`` and ``public`` None leave them as they are; at
    ``expires`` the object stops to exist; ``is_static_manifest``: the data lists the objects to send instead;
    ``limits`` of its metadata, None for the usual ones; ``by_md5``: the conditions' tags are MD5s.
    """

    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    sharing: Sharing | None = None
    public: bool | None = None
    conditions: Conditions = NO_CONDITIONS
    expires: datetime | None = None
    is_static_manifest: bool = False
    limits: Limits | None = None
    by_md5: bool = False

    def check_conditions(self, version: Version | None) -> None:
        """Raise PreconditionFailed unless ``version``, the current one, may be replaced; None: there is none.

        What has expired is not there. An MD5 that nobody has asked for yet is no client's condition.
        """
        if version is None or is_over(version):
            self.conditions.check_write(None)
        else:
            self.conditions.check_write(version.checksum if self.by_md5 else etag_of(version))


@dataclass(frozen=True)
class Written:
    """What a write made: version number, entity tag, object id, size in bytes, bytes it costs, MD5, time."""

    version: int
    etag: str
    uuid: str
    size: int
    charge: int
    checksum: str
    modified: datetime


def written_of(version: Version, charge: int) -> Written:
    """Return what became of a write."""
    return Written(
        version.pk, etag_of(version), version.uuid, version.size, charge, version.checksum, version.mtime
    )


def as_static_manifest(wish: Wish) -> Wish:
    """Return the wish for an object whose data lists others."""
    return replace(wish, is_static_manifest=True)


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield data that comes in pieces of any size as whole blocks, the last one excepted."""
    size = settings.PITHOS_BACKEND_BLOCK_SIZE
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)


class MissingBlocks(Conflict):
    """A hashmap names blocks that have to be sent first: their hashes in hexadecimal, in order of use."""

    def __init__(self, hashes: list[str]) -> None:
        super().__init__(f"{len(hashes)} blocks have to be sent first.")
        self.hashes = hashes


def put_data(
    credentials: Credentials,
    *,
    address: Address,
    body: Iterable[bytes | bytearray | memoryview],
    wish: Wish,
    md5: str = "",
    length: int | None = None,
) -> Written:
    """Make the object's next version from ``body``, read in blocks.

    ``md5``: what the data must have, or Unprocessable is raised. ``length``: bytes to come, if that is known.
    Also raises Forbidden, NotFound, PreconditionFailed, OverLimit, RequestTooLarge, InsufficientStorage.
    """
    _precheck(credentials, address, wish, is_small=length is not None and length <= _SMALL)
    content = store_body(block_store(), body)
    if md5 and md5.lower() != content.md5:
        raise Unprocessable("The data's MD5 is not the one of the ETag header.")
    return _commit(credentials, address, content, wish)


def store_pieces(pieces: Iterable[bytes]) -> Content:
    """Store data that comes in pieces of any size; no object refers to it yet. Needs no transaction."""
    return store_body(block_store(), in_blocks(pieces))


@retry_on_deadlock
def create_object(
    credentials: Credentials, *, address: Address, content: Content, content_type: str, uuid: str
) -> Written:
    """Make a new object with an id of the caller's choice from ``content``; its container is made if missing.

    Raises Conflict if there is an object of that name, Forbidden, OverLimit.
    """
    permissions.require_write(credentials, address)
    with atomic():
        account = ensure_account(address.account)
        if find_container(address.account, address.container) is None:
            made = create_container(account, address.container, muser=credentials.user_id or address.account)
            if made is not None:
                statistics.touch(account, clock.now())
        if find_current(address) is not None:
            raise Conflict("There is an object of this name already.")
        return _commit(credentials, address, content, Wish(content_type=content_type), uuid=uuid)


def put_hashmap(
    credentials: Credentials, *, address: Address, size: int, digests: Sequence[bytes], wish: Wish
) -> Written:
    """Make the object's next version of ``size`` bytes from blocks that are already stored.

    Raises MissingBlocks with what has to be sent first, and what ``put_data`` raises.
    """
    store = block_store()
    if size == 0 and list(digests) in ([], [store.empty]):
        digests = []
    if len(digests) != block_count(size, store.block_size):
        raise BadRequest(f"{size} bytes are not {len(digests)} blocks of {store.block_size} bytes.")
    _precheck(credentials, address, wish)
    uploader = ensure_account(credentials.user_id or address.account)
    missing = possession.missing(store, uploader, digests)
    current = find_current(address) if missing else None
    if current is not None and current.available == Availability.READY:
        missing = possession.missing(store, uploader, digests, readable=digests_of(current))
    if missing:
        raise MissingBlocks([digest.hex() for digest in missing])
    content = _cut_last(store, tuple(digests), size)
    md5 = md5_of(store, content.digests, size) if settings.PITHOS_UPDATE_MD5 else ""
    return _commit(credentials, address, Content(content.digests, size, md5), wish)


def _cut_last(store: BlockStore, digests: tuple[bytes, ...], size: int) -> Content:
    """Return the content with a last block that has nothing beyond the object's end."""
    tail = size % store.block_size
    if digests and tail and digests[-1] != store.empty:
        with store_faults():
            data = store.get(digests[-1])
            if len(data) > tail:
                digests = (*digests[:-1], store.put(data[:tail]))
    return Content(digests, size, "")


def _precheck(credentials: Credentials, address: Address, wish: Wish, *, is_small: bool = False) -> None:
    """Refuse what can be refused before any data is read; the commit looks at all of it again.

    For a small body that is not worth a look into the database; only who may not write is refused first.
    """
    permissions.require_write(credentials, address)
    if wish.sharing is not None and not permissions.is_owner(credentials, address.account):
        raise Forbidden("Only the account's owner may share an object.")
    metadata.check(metadata.replaced(wish.metadata), wish.limits)
    if is_small:
        return
    get_container(address.account, address.container)
    if wish.conditions != NO_CONDITIONS:
        wish.check_conditions(find_current(address))


@retry_on_deadlock
def _commit(
    credentials: Credentials, address: Address, content: Content, wish: Wish, *, uuid: str = ""
) -> Written:
    store = block_store()
    with store_faults():
        mapfile = store.put_map(content.digests)
    with atomic():
        container, previous = lock_with_latest(address)
        permissions.require_write(credentials, address)
        current = previous if previous is not None and previous.cluster == Cluster.CURRENT else None
        wish.check_conditions(current)
        domains = _other_domains(current)
        domains[USER_DOMAIN] = metadata.replaced(wish.metadata)
        state = State(
            hash=object_digest(content.digests, store.algorithm).hex(),
            size=content.size,
            type=wish.content_type or "application/octet-stream",
            checksum=content.md5,
            mapfile=mapfile,
            uuid=current.uuid if current else uuid,
            source=current.pk if current else None,
            expires=wish.expires,
            is_static_manifest=wish.is_static_manifest,
        )
        return finish_write(
            credentials,
            container=container,
            address=address,
            previous=previous,
            state=state,
            domains=domains,
            wish=wish,
            blocks=content.digests,
        )


def finish_write(
    credentials: Credentials,
    *,
    container: Node,
    address: Address,
    previous: Version | None,
    state: State,
    domains: Domains,
    wish: Wish,
    blocks: Sequence[bytes],
) -> Written:
    """Make the version in the locked container with everything that goes with it.

    ``blocks`` are digests the account may not have had before.
    """
    change = versions.add(
        container, address.name, previous, state, domains, muser=credentials.user_id or address.account
    )
    node = change.version.node
    if wish.sharing is not None:
        set_sharing(node, wish.sharing)
    public_links.set_public(node, wish.public)
    account = container.parent
    assert account is not None
    notes = [
        *possession.remembering(account, blocks),
        statistics.applying(container, change.delta, change.version.mtime),
    ]
    if quota.has_limit(container):
        sums = prepared.execute_all(*notes)
        quota.check_container(container, grew=change.delta.current_bytes, used=sums[0][0])
        notes = []
    quota.charge(
        credentials,
        holder=address.account,
        project=container.policy.project,
        quantity=change.charge,
        name=address.path,
        first=notes,
    )
    version = change.version
    return written_of(version, change.charge)


def _other_domains(current: Version | None) -> Domains:
    """Return the metadata that an overwrite keeps: that of every domain but the user's."""
    if current is None:
        return {}
    domains = metadata.of_version(current)
    domains.pop(USER_DOMAIN, None)
    return domains
