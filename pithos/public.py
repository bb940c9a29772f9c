"""What other services may ask of object storage; credentials None means no permission check.

A map of one block has no file: ``<hash>_1`` says that the object's only block is ``<hash>``. Whoever reads
maps from the block store itself has to know that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from astakos.public import ServiceDefinition
from pithos.blocks.opened import block_store
from pithos.logic import deletes, domains, registration, snapshots, uploads
from pithos.logic.domains import ObjectInfo
from pithos.logic.nodes import Address
from pithos.streams import Content
from synnefo.credentials import Credentials

__all__ = [
    "Content",
    "ObjectInfo",
    "block_hashes",
    "block_path_of",
    "create_object",
    "delete_object",
    "get_object",
    "get_object_at",
    "list_domain_objects",
    "open_object",
    "protect_blocks",
    "register_object_map",
    "service_definitions",
    "store_data",
    "update_domain_metadata",
    "update_object_status",
    "update_readers",
]


def get_object(
    credentials: Credentials | None, *, uuid: str, version: int | None = None, domain: str | None = None
) -> ObjectInfo:
    """Return the object of this id (or a version of it) with the metadata of ``domain``.

    Raises NotFound, and Forbidden if the caller may not read it.
    """
    return domains.get_object(credentials, uuid=uuid, version=version, domain=domain)


def get_object_at(
    credentials: Credentials | None, *, account: str, container: str, name: str, domain: str | None = None
) -> ObjectInfo:
    """Return the object at a path with the metadata of ``domain``; raises NotFound and Forbidden."""
    return domains.get_object_at(credentials, address=Address(account, container, name), domain=domain)


def list_domain_objects(credentials: Credentials | None, *, domain: str) -> list[ObjectInfo]:
    """Return every object with metadata in ``domain`` that the caller owns or was granted."""
    return domains.list_domain_objects(credentials, domain=domain)


def update_domain_metadata(
    credentials: Credentials,
    *,
    uuid: str,
    domain: str,
    metadata: Mapping[str, str],
    replace: bool = False,
) -> ObjectInfo:
    """Merge (an empty value removes) or replace an object's metadata in one domain; makes a new version.

    Raises NotFound, Forbidden without write access, BadRequest for keys over 128 or values over 256
    characters.
    """
    return domains.update_domain_metadata(
        credentials, uuid=uuid, domain=domain, items=metadata, replace=replace
    )


def update_readers(credentials: Credentials, *, uuid: str, readers: Iterable[str]) -> None:
    """Make ``readers`` (user ids, ``*`` for everybody) the only ones who may read; only the owner may."""
    domains.update_readers(credentials, uuid=uuid, readers=readers)


def open_object(
    credentials: Credentials | None, *, uuid: str, offset: int = 0, length: int | None = None
) -> Iterator[bytes]:
    """Return ``length`` bytes of the object from ``offset``, or all, in pieces of up to 1 MiB.

    Raises NotFound and Forbidden.
    """
    return domains.open_object(credentials, uuid=uuid, offset=offset, length=length)


def store_data(pieces: Iterable[bytes]) -> Content:
    """Store data that no object refers to yet, a few blocks in memory at most; collected if none ever does.

    Call it outside of transactions. Raises what ``pieces`` raises, and InsufficientStorage.
    """
    return uploads.store_pieces(pieces)


def create_object(
    credentials: Credentials,
    *,
    account: str,
    container: str,
    name: str,
    data: Content,
    uuid: str,
    content_type: str = "application/octet-stream",
) -> None:
    """Make a new object of ``store_data``'s data with an id of the caller's choice; charges its size.

    The container is made if it is missing. Raises Forbidden, Conflict if the name is taken, OverLimit.
    """
    uploads.create_object(
        credentials,
        address=Address(account, container, name),
        content=data,
        content_type=content_type,
        uuid=uuid,
    )


def block_hashes(mapfile: str | None, *, size: int) -> list[str]:
    """Return the hashes in hexadecimal of the blocks of a map of an object of ``size`` bytes."""
    return domains.block_hashes(mapfile, size=size)


def block_path_of(block_hash: str) -> str:
    """Return where a block is kept without trailing NULs; the all-NUL block is nowhere.

    An absolute path, or ``rados:<pool>/<name>`` where blocks are in Ceph.
    """
    return block_store().path_of(bytes.fromhex(block_hash))


def protect_blocks(mapfile: str | None, *, size: int) -> None:
    """Keep a map and its blocks from being collected for another grace time, whatever becomes of the object.

    For images that a node is about to read. Raises ServiceUnavailable if one is missing.
    """
    domains.protect_blocks(mapfile, size=size)


def register_object_map(
    credentials: Credentials,
    *,
    account: str,
    container: str,
    name: str,
    size: int,
    mapfile: str | None = None,
    content_type: str = "application/octet-stream",
    domain: str = "",
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Make a snapshot object whose data is yet to come and return its uuid; charges ``size`` bytes.

    The container is made if it is missing. The data can be read after ``update_object_status``. Raises
    Forbidden for anybody but the account's owner, Conflict if there is an object of that name, OverLimit.
    """
    return snapshots.register_object_map(
        credentials,
        address=Address(account, container, name),
        size=size,
        mapfile=mapfile,
        content_type=content_type,
        domain=domain,
        items=metadata or {},
    )


def update_object_status(
    credentials: Credentials, *, uuid: str, status: int, mapfile: str | None = None
) -> ObjectInfo:
    """Say whether a snapshot's data can be read: 1 yes, 0 not yet, -1 never; ``mapfile`` names its map.

    Raises NotFound, Forbidden, and BadRequest if it is no snapshot or its map or blocks are not stored.
    """
    return snapshots.update_object_status(credentials, uuid=uuid, status=status, mapfile=mapfile)


def delete_object(credentials: Credentials, *, uuid: str) -> None:
    """Delete the object of this id as its owner would; raises NotFound and Forbidden."""
    deletes.delete_object(credentials, address=domains.address_by_id(uuid=uuid))


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return what identity's registry is told about object storage."""
    return registration.service_definitions()
