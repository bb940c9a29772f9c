"""The block store in Ceph: blocks and maps as objects of two RADOS pools (object-storage contract 19.1).

A block is written by one operation, so it is there whole or not at all. What collection calls last use is an
object's modification time; a presence test renews it by an operation that fails if the object is gone.
"""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from typing import IO, Any, TypeVar

from pithos.blocks import (
    CORRUPT_SUFFIX,
    BlockCorrupt,
    BlockMissing,
    BlockStore,
    BlockStoreError,
    Entry,
    Kind,
    StoreFull,
    StoreUnavailable,
)
from pithos.blocks.verification import Verification
from pithos.hashing import block_digest, trimmed_length
from synnefo.rados_client import (
    Cluster,
    RadosChanged,
    RadosError,
    RadosFull,
    RadosNotFound,
    RadosUnavailable,
    load_binding,
)

R = TypeVar("R")

_PIECE = 1 << 20
_READ = 8 << 20
#: Ceph refuses single writes beyond 90 MiB.
_MAX_OBJECT = 64 << 20
_TOUCH_SECONDS = 60.0
_PROTECTED = 65536
_PROTECTED_SECONDS = 600.0
_MARK = "used"
_LISTING = 512


class RadosStore(BlockStore):
    """Blocks as objects of the pool ``blocks``, maps of the pool ``maps``; ``verify``: see `Verification`."""

    def __init__(
        self, cluster: Cluster, *, blocks: str, maps: str, block_size: int, algorithm: str, verify: str
    ) -> None:
        super().__init__(block_size=block_size, algorithm=algorithm)
        if block_size > _MAX_OBJECT:
            raise ValueError("blocks of more than 64 MiB cannot be kept in RADOS")
        self._cluster = cluster
        self._pools: dict[Kind, str] = {"blocks": blocks, "maps": maps}
        self._verification = Verification(verify)
        self._totals: dict[Kind, int] = {}
        self._protected: OrderedDict[bytes, float] = OrderedDict()
        self._protected_lock = threading.Lock()
        #: Versions are read from the context that made the last operation: one caller at a time.
        self._careful = threading.Lock()

    def path_of(self, digest: bytes) -> str:
        """Return ``rados:<pool>/<name>``."""
        return f"rados:{self._pools['blocks']}/{digest.hex()}"

    # -- blocks

    def put(self, data: bytes | bytearray | memoryview) -> bytes:
        """Store one block; the OSD compares it with one that is there, and a damaged one is replaced."""
        view = memoryview(data)
        if len(view) > self.block_size:
            raise ValueError("longer than a block")
        view = view[: trimmed_length(view)]
        digest = block_digest(view, self.algorithm)
        if digest != self.empty:
            self._write_unless_equal("blocks", digest.hex(), view)
            self._note_protected(digest)
        return digest

    def get(self, digest: bytes) -> bytes:
        """Return a block's content without trailing NULs; raise BlockMissing or BlockCorrupt."""
        opened = self.open(digest)
        return b"" if opened is None else opened[0].read(opened[1])

    def open(self, digest: bytes) -> tuple[IO[bytes], int] | None:
        """Return a reader of a block: from memory if it was checked just now, else piece by piece."""
        if digest == self.empty:
            return None
        name = digest.hex()
        # A context knows the version of its last operation only, so each thread has its own.
        own = f"thread {threading.get_ident()}"
        size, version = self._run("blocks", lambda context: _size_and_version(context, name), purpose=own)
        mark = (size, version)
        if 0 < size <= self.block_size and not self._verification.is_due(digest, mark):
            return io.BufferedReader(_ObjectReader(self, name, size), _PIECE), size
        content = self.read("blocks", name)
        if not self.is_good("blocks", name, content):
            self.set_aside("blocks", name)
            raise BlockCorrupt(f"block {name} does not match its name")
        self._verification.passed(digest, mark)
        return io.BytesIO(content), len(content)

    def exists(self, digest: bytes) -> bool:
        """Tell whether the block is there; its time is renewed so that collection spares it."""
        if digest == self.empty:
            return True
        entry = self.stat("blocks", digest.hex())
        if entry is None:
            return False
        if time.time() - entry.used > _TOUCH_SECONDS and not self._renew("blocks", digest.hex()):
            return False
        self._note_protected(digest)
        return True

    def protect(self, digests: Sequence[bytes]) -> None:
        """Renew blocks, but for those that this process has stored or looked at a moment ago."""
        now = time.monotonic()
        with self._protected_lock:
            young = {
                d for d in digests if now - self._protected.get(d, -_PROTECTED_SECONDS) < _PROTECTED_SECONDS
            }
        super().protect([digest for digest in digests if digest not in young])

    def _note_protected(self, digest: bytes) -> None:
        with self._protected_lock:
            self._protected[digest] = time.monotonic()
            self._protected.move_to_end(digest)
            while len(self._protected) > _PROTECTED:
                self._protected.popitem(last=False)

    def _forget_protected(self, name: str) -> None:
        with self._protected_lock:
            self._protected.pop(bytes.fromhex(name), None)

    # -- maps

    def put_map_content(self, name: str, content: bytes) -> None:
        """Store a map unless an equal one is there."""
        if len(content) > _MAX_OBJECT:
            raise BlockStoreError(f"map {name} has {len(content)} bytes, more than one RADOS object can keep")
        self._write_unless_equal("maps", name, memoryview(content))

    def get_map_content(self, name: str) -> bytes:
        """Return a map's content; raise BlockMissing."""
        return self.read("maps", name)

    # -- for the administrator's commands

    def entries(self, kind: Kind, *, after: str = "", tidy_before: float | None = None) -> Iterator[Entry]:
        """Yield every object in the cluster's own order, which is stable while its placement groups are."""
        names = self._names_of(kind)
        if after:
            # Listings cannot begin in the middle. If the name has gone, everything is done again.
            found = any(name == after for name in names)
            names = names if found else self._names_of(kind)
        with ThreadPoolExecutor(8, thread_name_prefix="rados-stat") as pool:
            while chunk := list(islice(names, _LISTING)):
                yield from (entry for entry in pool.map(lambda n: self.stat(kind, n), chunk) if entry)

    def _names_of(self, kind: Kind) -> Iterator[str]:
        listing = self._run(kind, lambda context: context.list_objects(), purpose="list")
        while True:
            chunk = self._run(
                kind, lambda _: [item.key for item in islice(listing, _LISTING)], purpose="list"
            )
            if not chunk:
                return
            yield from (name for name in chunk if self.is_name(kind, name))

    def share_done(self, kind: Kind, name: str, seen: int) -> float | None:
        """Return the share of what the pool says it holds; None where the cluster gathers no statistics."""
        if seen % 1000 == 1:
            total = self._run(kind, lambda context: int(context.get_stats()["num_objects"]))
            self._totals[kind] = total
        total = self._totals.get(kind, 0)
        return min(1.0, seen / total) if total else None

    def stat(self, kind: Kind, name: str) -> Entry | None:
        """Return size and modification time of an object."""
        try:
            size, modified = self._run(kind, lambda context: context.stat(name))
        except BlockMissing:
            return None
        return Entry(name, size, time.mktime(modified))

    def read(self, kind: Kind, name: str) -> bytes:
        """Return an object's content."""
        return self._run(kind, lambda context: _read_all(context, name))

    def read_piece(self, name: str, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes of a block from ``offset``."""
        return bytes(self._run("blocks", lambda context: context.read(name, length, offset)))

    def discard(self, kind: Kind, name: str, *, unused_since: float) -> bool:
        """Remove an object if it still is the one whose age was looked at."""

        def remove(context: Any) -> bool:
            modified = context.stat(name)[1]
            version = context.get_last_version()
            if time.mktime(modified) >= unused_since:
                return False
            _operate(context, name, ("assert_version", version), ("remove",))
            return True

        with self._careful:
            try:
                removed = self._run(kind, remove, purpose="careful")
            except BlockMissing:
                removed = True
            except RadosChanged:
                # Used in this very moment, or removed by another: the latter is what we wanted.
                removed = self.stat(kind, name) is None
        if removed and kind == "blocks":
            self._forget_protected(name)
        return removed

    def set_aside(self, kind: Kind, name: str) -> None:
        """Copy a damaged object to another name and remove it, unless it has just been replaced."""

        def move(context: Any) -> None:
            content = _read_all(context, name)
            version = context.get_last_version()
            if self.is_good(kind, name, content):
                return
            _operate(context, name + CORRUPT_SUFFIX, ("write_full", content))
            _operate(context, name, ("assert_version", version), ("remove",))

        with self._careful, suppress(BlockMissing, RadosChanged):
            self._run(kind, move, purpose="careful")
        if kind == "blocks":
            self._forget_protected(name)

    # -- objects

    def _write_unless_equal(self, kind: Kind, name: str, view: memoryview) -> None:
        content = bytes(view)
        entry = self.stat(kind, name)
        if entry is not None and entry.size == len(content):
            try:
                self._run(kind, lambda context: _renew(context, name, ("cmpext", content, 0)))
                return
            except (RadosChanged, BlockMissing):
                pass  # damaged, or gone in this moment
        elif entry is not None and kind == "blocks" and self._is_untrimmed(name, entry, len(content)):
            self._renew(kind, name)
            return
        self._run(kind, lambda context: _operate(context, name, ("write_full", content)))

    def _is_untrimmed(self, name: str, entry: Entry, length: int) -> bool:
        """Tell whether an older installation has written the block with its trailing NULs."""
        if not length < entry.size <= self.block_size:
            return False
        with suppress(BlockMissing):
            return self.is_good("blocks", name, self.read("blocks", name))
        return False

    def _renew(self, kind: Kind, name: str) -> bool:
        try:
            self._run(kind, lambda context: _renew(context, name))
        except BlockMissing:
            return False
        return True

    def _run(self, kind: Kind, operation: Callable[[Any], R], *, purpose: str = "") -> R:
        """Run one operation on a pool; apart from RadosChanged it raises the store's own errors."""
        with _store_errors():
            return self._cluster.run(self._pools[kind], operation, purpose=purpose)


class _ObjectReader(io.RawIOBase):
    """A stored block as a file: what is read is fetched when it is wanted."""

    def __init__(self, store: RadosStore, name: str, size: int) -> None:
        self._store, self._name, self._size, self._position = store, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._position))
        data = self._store.read_piece(self._name, self._position, wanted) if wanted else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except RadosChanged:
        raise
    except RadosNotFound as error:
        raise BlockMissing(str(error)) from error
    except RadosFull as error:
        raise StoreFull(str(error)) from error
    except RadosUnavailable as error:
        raise StoreUnavailable(str(error)) from error
    except RadosError as error:
        raise BlockStoreError(str(error)) from error


def _operate(context: Any, name: str, *steps: tuple[Any, ...]) -> None:
    """Make one atomic write of several steps; the object's time becomes now."""
    with load_binding().WriteOpCtx() as operation:
        for step, *arguments in steps:
            getattr(operation, step)(*arguments)
        context.operate_write_op(operation, name, mtime=int(time.time()))


def _renew(context: Any, name: str, *conditions: tuple[Any, ...]) -> None:
    """Give an object the present time; taking an attribute away is the step that fails where none is."""
    _operate(context, name, *conditions, ("rm_xattr", _MARK), ("set_xattr", _MARK, b"1"))


def _size_and_version(context: Any, name: str) -> tuple[int, int]:
    """Return an object's size in bytes and its version, which changes with every write."""
    size = context.stat(name)[0]
    return size, context.get_last_version()


def _read_all(context: Any, name: str) -> bytes:
    pieces: list[bytes] = []
    while not pieces or len(pieces[-1]) == _READ:
        pieces.append(context.read(name, _READ, len(pieces) * _READ))
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
