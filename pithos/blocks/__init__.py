"""The block store: content-addressed blocks and the maps that list an object's blocks.

Names are the wire contract's hashes in hexadecimal. The block of zeros (the digest of nothing) is virtual:
never stored, always present. A block is kept without its trailing NULs, so a reader pads it to the block
size and cuts it to the object's size (object-storage contract 15.1, 19).

Maps are named ``<object hash>_<number of blocks>``: the object hash alone does not fix the list, because the
tree has no leaf marker. A map of one block is implied by its name and has no file, which spares the small
object a second durable write. Names without the suffix are those of older installations and stay readable.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pithos.hashing import HASH_SIZE, empty_digest, object_digest


class BlockStoreError(Exception):
    """Something is wrong with the store itself; the text names the block or path and is for the log."""


class BlockMissing(BlockStoreError):
    """A block or map that must exist does not."""


class BlockCorrupt(BlockStoreError):
    """A block's or map's content is not what its name says."""


class StoreFull(BlockStoreError):
    """The store has no room for another block."""


class BlockStore(ABC):
    """What every kind of store offers; digests are raw bytes, ``data`` is at most one block."""

    def __init__(self, *, block_size: int, algorithm: str) -> None:
        self.block_size = block_size
        self.algorithm = algorithm
        self.digest_size = HASH_SIZE[algorithm]
        self.empty = empty_digest(algorithm)

    @abstractmethod
    def put(self, data: bytes | bytearray | memoryview) -> bytes:
        """Store one block durably and return its digest; an equal block is not written again."""

    @abstractmethod
    def get(self, digest: bytes) -> bytes:
        """Return a block's content without trailing NULs, checked by the store's verification policy."""

    @abstractmethod
    def open(self, digest: bytes) -> tuple[BinaryIO, int] | None:
        """Return an open verified file of the block and its length in bytes, or None if there is no file."""

    @abstractmethod
    def path_of(self, digest: bytes) -> str:
        """Return where the block of this digest is kept."""

    @abstractmethod
    def exists(self, digest: bytes) -> bool:
        """Tell whether the block is there, and if so protect it from collection for another grace time."""

    @abstractmethod
    def delete(self, digest: bytes) -> None:
        """Remove a block; absent is fine."""

    @abstractmethod
    def iterate(self) -> Iterator[tuple[bytes, float]]:
        """Yield digest and last use (epoch seconds) of every stored block."""

    @abstractmethod
    def put_map_content(self, name: str, content: bytes) -> None:
        """Store a map's content durably under ``name``."""

    @abstractmethod
    def get_map_content(self, name: str) -> bytes:
        """Return a map's content; raise BlockMissing."""

    def missing(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return those of ``digests`` that are not stored, each once, in order of first use."""
        return [digest for digest in dict.fromkeys(digests) if not self.exists(digest)]

    def put_map(self, digests: Sequence[bytes]) -> str | None:
        """Store the list of an object's blocks and return the map's name; None for an empty object."""
        if not digests:
            return None
        name = f"{object_digest(digests, self.algorithm).hex()}_{len(digests)}"
        if len(digests) > 1:
            self.put_map_content(name, b"".join(digests))
        return name

    def get_map(self, name: str | None, *, count: int) -> list[bytes]:
        """Return the ``count`` digests listed by the map ``name``.

        Raises BlockMissing, and BlockCorrupt if the list's length or object hash is not the expected one.
        """
        if not name or count == 0:
            return []
        root, _, suffix = name.partition("_")
        if suffix == "1" and count == 1:
            return [bytes.fromhex(root)]
        content = self.get_map_content(name)
        size = self.digest_size
        if len(content) != count * size:
            raise BlockCorrupt(f"map {name} has {len(content)} bytes, expected {count * size}")
        digests = [content[i : i + size] for i in range(0, len(content), size)]
        if object_digest(digests, self.algorithm).hex() != root:
            raise BlockCorrupt(f"map {name} does not match its name")
        return digests
