"""MD5 checksums, which Swift's clients compare: kept with a version, worked out when it has none yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pithos.blocks.opened import block_store
from pithos.hashing import block_count
from pithos.models import Availability, Version
from pithos.streams import md5_of, store_faults

EMPTY = hashlib.md5(b"", usedforsecurity=False).hexdigest()
#: Bytes that a listing reads at most to work out missing checksums.
LISTING_BUDGET = 64 << 20


def checksum_of(version: Version) -> str:
    """Return the MD5 in hexadecimal of a version's own data; reads all of it the first time."""
    if version.checksum or version.available != Availability.READY:
        return version.checksum
    version.checksum = _calculated(version.mapfile, version.size)
    Version.objects.filter(pk=version.pk, checksum="").update(checksum=version.checksum)
    return version.checksum


def joined(checksums: Iterable[str]) -> str:
    """Return the entity tag of an object made of segments: quoted, the MD5 of their MD5s."""
    text = "".join(checksums)
    return f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'


def _calculated(mapfile: str | None, size: int) -> str:
    if not size:
        return EMPTY
    store = block_store()
    with store_faults():
        digests = store.get_map(mapfile, count=block_count(size, store.block_size))
    return md5_of(store, digests, size)
