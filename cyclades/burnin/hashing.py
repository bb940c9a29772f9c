"""Hashes of objects as the object storage computes them (object storage contract 15.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    """Cut data into blocks of ``size`` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def block_digest(block: bytes, algorithm: str = "sha256") -> bytes:
    """The hash of one block; zeros at its end do not count."""
    return hashlib.new(algorithm, block.rstrip(b"\0")).digest()


def tree_hash(digests: Sequence[bytes], algorithm: str = "sha256") -> str:
    """The hash of an object from those of its blocks."""
    if not digests:
        return hashlib.new(algorithm, b"").hexdigest()
    level = list(digests)
    width = 1
    while width < len(level):
        width *= 2
    level += [bytes(len(level[0]))] * (width - len(level))
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [hashlib.new(algorithm, left + right).digest() for left, right in pairs]
    return level[0].hex()
