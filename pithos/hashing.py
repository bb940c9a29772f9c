"""The two hashes of the block model: of one block, and of an object as a tree over its blocks.

Both are part of the wire contract: clients compute them locally and compare (object-storage contract 15.1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

HASH_SIZE = {"sha256": 32, "sha512": 64, "sha384": 48, "sha1": 20}
_HEX = re.compile(r"[0-9a-f]+")


def block_digest(data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> bytes:
    """Return the digest of one block, which ignores the block's trailing NUL bytes.

    An empty or all-NUL block therefore has the digest of the empty string (object-storage contract 15.1).
    """
    return hashlib.new(algorithm, memoryview(data)[: trimmed_length(data)], usedforsecurity=False).digest()


def trimmed_length(data: bytes | bytearray | memoryview) -> int:
    """Return the length of ``data`` in bytes without its trailing NULs, without copying it."""
    view = memoryview(data)
    end = len(view)
    # Whole pages first: a sparse disk image is mostly zeros, and one comparison per page is a memcmp.
    page = bytes(65536)
    while end >= len(page) and view[end - len(page) : end] == page:
        end -= len(page)
    tail_start = max(0, end - len(page))
    return tail_start + len(bytes(view[tail_start:end]).rstrip(b"\0"))


def empty_digest(algorithm: str = "sha256") -> bytes:
    """Return the digest that stands for an empty or all-NUL block, which is never stored."""
    return hashlib.new(algorithm, usedforsecurity=False).digest()


def object_digest(digests: Sequence[bytes], algorithm: str = "sha256") -> bytes:
    """Return the Merkle root over ``digests`` (raw block digests in order).

    No block gives the empty digest, one block its own digest; otherwise the list is padded with zero
    digests to a power of two and pairs are hashed until one is left (object-storage contract 15.1).
    """
    if not digests:
        return empty_digest(algorithm)
    level = list(digests)
    if len(level) == 1:
        return level[0]
    size = 2
    while size < len(level):
        size *= 2
    level += [bytes(len(level[0]))] * (size - len(level))
    while len(level) > 1:
        level = [
            hashlib.new(algorithm, level[i] + level[i + 1], usedforsecurity=False).digest()
            for i in range(0, len(level), 2)
        ]
    return level[0]


def parse_digest(text: object, algorithm: str = "sha256") -> bytes:
    """Return the raw digest written as hexadecimal ``text``; raise ``ValueError`` if it is not one."""
    if not isinstance(text, str) or len(text) != 2 * HASH_SIZE[algorithm] or not _HEX.fullmatch(text.lower()):
        raise ValueError("not a block hash")
    return bytes.fromhex(text)


def block_count(size: int, block_size: int) -> int:
    """Return how many blocks an object of ``size`` bytes has with blocks of ``block_size`` bytes."""
    return -(-size // block_size)
