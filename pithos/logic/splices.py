"""Working out the blocks of an object of which a part is overwritten, extended or cut off.

Untouched blocks keep their digests; a block that changes in part is rebuilt; the last block never has
anything beyond the object's end, so that the object hash equals that of a fresh upload (object-storage
contract 9.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pithos.blocks import BlockStore
from pithos.hashing import block_count
from pithos.streams import read_range, store_faults


@dataclass(frozen=True)
class Stretch:
    """Data that is stored already: raw block digests and size in bytes."""

    digests: Sequence[bytes]
    size: int

    def read(self, store: BlockStore, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset``."""
        return b"".join(read_range(store, self.digests, offset, length))


@dataclass(frozen=True)
class Patch:
    """``data`` goes to ``offset`` of an object that then has ``size`` bytes."""

    data: Stretch
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Return where the patch ends in the object, in bytes."""
        return min(self.offset + self.data.size, self.size)


def splice(store: BlockStore, old: Stretch, patch: Patch) -> list[bytes]:
    """Return the digests of ``old`` with ``patch`` on it."""
    with store_faults():
        return [
            _block(store, old, patch, index) for index in range(block_count(patch.size, store.block_size))
        ]


def _block(store: BlockStore, old: Stretch, patch: Patch, index: int) -> bytes:
    start = index * store.block_size
    stop = min(start + store.block_size, patch.size)
    first, last = max(start, patch.offset), min(stop, patch.end)
    if first >= last:
        # Untouched, unless the object's end now cuts it or it lay at the old end.
        if stop <= old.size and (stop - start == store.block_size or patch.size == old.size):
            return old.digests[index]
        return store.put(_old(store, old, start, stop))
    aligned = (start - patch.offset) % store.block_size == 0
    whole = first == start and last == stop
    source = start - patch.offset
    if whole and aligned and (stop - start == store.block_size or source + stop - start == patch.data.size):
        return patch.data.digests[source // store.block_size]
    block = bytearray(b"" if whole else _old(store, old, start, stop))
    if whole:
        block = bytearray(stop - start)
    block[first - start : last - start] = patch.data.read(store, first - patch.offset, last - first)
    return store.put(block)


def _old(store: BlockStore, old: Stretch, start: int, stop: int) -> bytes:
    """Return a stretch of the old data, NULs where it had none."""
    kept = max(0, min(stop, old.size) - start)
    return old.read(store, start, kept).ljust(stop - start, b"\0") if kept else bytes(stop - start)
