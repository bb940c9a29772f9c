"""The block store: content-addressed blocks and the maps that list an object's blocks.

Names are the wire contract's hashes in hexadecimal. The block of zeros (the digest of nothing) is virtual:
never stored, always present. A block is kept without its trailing NULs, so a reader pads it to the block
size and cuts it to the object's size (object-storage contract 15.1, 19).

Maps are named ``<object hash>_<number of blocks>``: the object hash alone does not fix the list, because the
tree has no leaf marker. A map of one block is implied by its name and has no file, which spares the small
object a second durable write. Names without the suffix are those of older installations and stay readable.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from pithos.hashing import HASH_SIZE, block_digest, empty_digest, object_digest

Kind = Literal["blocks", "maps"]
KINDS: tuple[Kind, ...] = ("blocks", "maps")
#: What is added to the name of a damaged block or map that was moved aside.
CORRUPT_SUFFIX = ".corrupt"


class BlockStoreError(Exception):
    """Something is wrong with the store itself; the text names the block or path and is for the log."""


class BlockMissing(BlockStoreError):
    """A block or map that must exist does not."""


class BlockCorrupt(BlockStoreError):
    """A block's or map's content is not what its name says."""


class StoreFull(BlockStoreError):
    """The store has no room for another block."""


class StoreUnavailable(BlockStoreError):
    """The store does not answer now; the same request may succeed later."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored block or map: name, ``size`` in bytes, time of last use in epoch seconds."""

    name: str
    size: int
    used: float


class BlockStore(ABC):
    """What every kind of store offers; digests are raw bytes, ``data`` is at most one block.

    ``has_files`` tells whether blocks are files that a web server can send by itself.
    """

    has_files = False

    def __init__(self, *, block_size: int, algorithm: str) -> None:
        self.block_size = block_size
        self.algorithm = algorithm
        self.digest_size = HASH_SIZE[algorithm]
        self.empty = empty_digest(algorithm)
        digits = 2 * self.digest_size
        self._names = {
            "blocks": re.compile(f"[0-9a-f]{{{digits}}}"),
            "maps": re.compile(f"[0-9a-f]{{{digits}}}(_[0-9]{{1,12}})?"),
        }

    @abstractmethod
    def put(self, data: bytes | bytearray | memoryview) -> bytes:
        """Store one block durably and return its digest; an equal block is not written again."""

    @abstractmethod
    def get(self, digest: bytes) -> bytes:
        """Return a block's content without trailing NULs, checked by the store's verification policy."""

    @abstractmethod
    def open(self, digest: bytes) -> tuple[IO[bytes], int] | None:
        """Return an open verified file of the block and its length in bytes, or None if there is no file."""

    @abstractmethod
    def path_of(self, digest: bytes) -> str:
        """Return where the block is: an absolute path, or ``rados:<pool>/<name>``."""

    @abstractmethod
    def exists(self, digest: bytes) -> bool:
        """Tell whether the block is there, and if so protect it from collection for another grace time."""

    @abstractmethod
    def put_map_content(self, name: str, content: bytes) -> None:
        """Store a map's content durably under ``name``; an equal one is protected from collection."""

    @abstractmethod
    def get_map_content(self, name: str) -> bytes:
        """Return a map's content; raise BlockMissing."""

    # -- for the administrator's commands

    @abstractmethod
    def entries(self, kind: Kind, *, after: str = "", tidy_before: float | None = None) -> Iterator[Entry]:
        """Yield everything stored, always in the same order, beginning behind the name ``after``.

        ``tidy_before`` (epoch seconds) also removes what interrupted writes older than that have left.
        """

    @abstractmethod
    def share_done(self, kind: Kind, name: str, seen: int) -> float | None:
        """Return how much of ``entries`` is done when ``name`` is reached as number ``seen``, 0 to 1."""

    @abstractmethod
    def stat(self, kind: Kind, name: str) -> Entry | None:
        """Return size and last use, None if absent; unlike ``exists`` this protects nothing."""

    @abstractmethod
    def read(self, kind: Kind, name: str) -> bytes:
        """Return the stored bytes as they are, unchecked; raise BlockMissing."""

    @abstractmethod
    def discard(self, kind: Kind, name: str, *, unused_since: float) -> bool:
        """Remove a block or map unless it was used at or after ``unused_since``; True if it is gone now.

        Safe against a presence test at the same moment: either that says no, or nothing is removed.
        """

    @abstractmethod
    def set_aside(self, kind: Kind, name: str) -> None:
        """Move a damaged block or map out of the way, so that it counts as missing and can be sent again."""

    def delete(self, digest: bytes) -> None:
        """Remove a block whatever its age; absent is fine."""
        self.discard("blocks", digest.hex(), unused_since=float("inf"))

    def is_name(self, kind: Kind, name: str) -> bool:
        """Tell whether this store could have given ``name`` to a block or map."""
        return self._names[kind].fullmatch(name) is not None

    def is_good(self, kind: Kind, name: str, content: bytes) -> bool:
        """Tell whether a block's or map's stored bytes are what its name says."""
        if kind == "blocks":
            good_size = len(content) <= self.block_size
            return good_size and block_digest(content, self.algorithm).hex() == name
        root, _, suffix = name.partition("_")
        size = self.digest_size
        count, rest = divmod(len(content), size)
        if rest or not count or (suffix and int(suffix) != count):
            return False
        digests = [content[i : i + size] for i in range(0, len(content), size)]
        return object_digest(digests, self.algorithm).hex() == root

    # -- what follows from the above

    def protect(self, digests: Sequence[bytes]) -> None:
        """Keep blocks from being collected for another grace time; raise BlockMissing if one is gone."""
        for digest in dict.fromkeys(digests):
            if not self.exists(digest):
                raise BlockMissing(f"block {digest.hex()} is not in the store any more")

    def missing(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return those of ``digests`` that are not stored, each once, in order of first use."""
        return [digest for digest in dict.fromkeys(digests) if not self.exists(digest)]

    def protect_map(self, name: str | None, digests: Sequence[bytes]) -> None:
        """Keep a stored map and its blocks ``digests`` from being collected for another grace time."""
        self.protect(digests)
        if name and len(digests) > 1:
            self.put_map_content(name, b"".join(digests))

    def put_map(self, digests: Sequence[bytes]) -> str | None:
        """Store the list of an object's blocks and return the map's name; None for an empty object.

        Every block is looked at once more: what a new version refers to was there, and young, before the
        version is committed. Collection relies on that.
        """
        if not digests:
            return None
        self.protect(digests)
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
