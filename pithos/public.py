"""What other services may ask of object storage; credentials None means no permission check.

A map of one block has no file: ``<hash>_1`` says that the object's only block is ``<hash>``. Whoever reads
maps from the block store's directory has to know that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from astakos.public import ServiceDefinition
from pithos.blocks.opened import block_store
from pithos.logic import domains, registration
from pithos.logic.domains import ObjectInfo
from pithos.logic.nodes import Address
from synnefo.credentials import Credentials

__all__ = [
    "ObjectInfo",
    "block_hashes",
    "block_path_of",
    "get_object",
    "get_object_at",
    "list_domain_objects",
    "open_object",
    "service_definitions",
    "update_domain_metadata",
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


def open_object(credentials: Credentials | None, *, uuid: str) -> Iterator[bytes]:
    """Return the object's data in pieces of up to 1 MiB; raises NotFound and Forbidden."""
    return domains.open_object(credentials, uuid=uuid)


def block_hashes(mapfile: str | None, *, size: int) -> list[str]:
    """Return the hashes in hexadecimal of the blocks of a map of an object of ``size`` bytes."""
    return domains.block_hashes(mapfile, size=size)


def block_path_of(block_hash: str) -> str:
    """Return the file that holds a block without trailing NULs; the all-NUL block has none."""
    return block_store().path_of(bytes.fromhex(block_hash))


def service_definitions() -> tuple[ServiceDefinition, ...]:
    """Return what identity's registry is told about object storage."""
    return registration.service_definitions()
