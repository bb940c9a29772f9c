"""Object data in motion: a request body into blocks, blocks into a reply, a few blocks in memory at most.

No function here touches the database, so that a slow client holds no lock and no transaction.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from pithos.blocks import BlockStore, BlockStoreError, StoreFull
from synnefo.errors import InsufficientStorage, ServiceUnavailable

log = logging.getLogger("pithos.blocks")

_IN_FLIGHT = 2
_AHEAD = 2
_PIECE = 1 << 20
_executor: tuple[int, ThreadPoolExecutor] | None = None
_executor_lock = threading.Lock()


@dataclass(frozen=True)
class Content:
    """An object's data: raw block digests, size in bytes, and MD5 in hexadecimal ("" if not computed)."""

    digests: tuple[bytes, ...]
    size: int
    md5: str


@contextmanager
def store_faults() -> Iterator[None]:
    """Turn the store's errors into faults: no room is 507, anything else 503, details only in the log."""
    try:
        yield
    except StoreFull as error:
        log.error("block store full: %s", error)
        raise InsufficientStorage(
            "The storage is full. Try again later or tell the administrator."
        ) from error
    except BlockStoreError as error:
        log.error("block store failure: %s", error)
        raise ServiceUnavailable(
            "The object's data cannot be read or written now. The administrator has been notified."
        ) from error


def store_body(store: BlockStore, blocks: Iterable[bytes | bytearray | memoryview]) -> Content:
    """Store ``blocks``, each of exactly the block size but for the last, and return what they make up.

    While one block is hashed and written the next is read; at most three are in memory.
    """
    iterator = iter(blocks)
    md5 = hashlib.md5(usedforsecurity=False)
    first = next(iterator, None)
    if first is None:
        return Content((), 0, md5.hexdigest())
    second = next(iterator, None)
    with store_faults():
        if second is None:
            md5.update(first)
            return Content((store.put(first),), len(first), md5.hexdigest())
        return _store_many(store, md5, first, second, iterator)


def _store_many(
    store: BlockStore,
    md5: hashlib._Hash,
    first: bytes | bytearray | memoryview,
    second: bytes | bytearray | memoryview,
    rest: Iterator[bytes | bytearray | memoryview],
) -> Content:
    digests: list[bytes] = []
    pending: deque[Future[bytes]] = deque()
    size = 0
    executor = _shared_executor()
    try:
        block: bytes | bytearray | memoryview | None = first
        upcoming: bytes | bytearray | memoryview | None = second
        while block is not None:
            if len(pending) >= _IN_FLIGHT:
                digests.append(pending.popleft().result())
            pending.append(executor.submit(store.put, block))
            size += len(block)
            md5.update(block)
            block, upcoming = (upcoming, None) if upcoming is not None else (next(rest, None), None)
        digests.extend(future.result() for future in pending)
    finally:
        for future in pending:
            future.cancel()
    return Content(tuple(digests), size, md5.hexdigest())


def _shared_executor() -> ThreadPoolExecutor:
    """Return this process's threads for block writes; a forked worker gets its own."""
    global _executor  # noqa: PLW0603  (one pool per process)
    with _executor_lock:
        if _executor is None or _executor[0] != os.getpid():
            _executor = (os.getpid(), ThreadPoolExecutor(8, thread_name_prefix="pithos-blocks"))
        return _executor[1]


def read_range(store: BlockStore, digests: Sequence[bytes], offset: int, length: int) -> Iterator[bytes]:
    """Yield ``length`` bytes from ``offset`` of the object made of ``digests``, in pieces of up to 1 MiB.

    What a block lacks up to the block size are NULs. Raises BlockStoreError at the block that is bad.
    """
    spans = _spans(store, digests, offset, length)
    if store.has_files:  # the system reads files ahead by itself
        for digest, start, stop in spans:
            yield from _read_block(store, digest, start, stop)
    else:
        yield from _read_ahead(store, spans)


def _spans(
    store: BlockStore, digests: Sequence[bytes], offset: int, length: int
) -> Iterator[tuple[bytes, int, int]]:
    """Yield the blocks that the bytes lie in, with the first byte of each and the one behind the last."""
    position = offset
    end = offset + length
    while position < end:
        index, start = divmod(position, store.block_size)
        stop = min(store.block_size, start + end - position)
        yield digests[index], start, stop
        position += stop - start


def _read_ahead(store: BlockStore, spans: Iterator[tuple[bytes, int, int]]) -> Iterator[bytes]:
    """Yield the blocks' bytes; while one is sent the next two are fetched, so that three are in memory.

    The first is passed on piece by piece as it comes, for the sake of who waits for it.
    """
    first = next(spans, None)
    if first is None:
        return
    executor = _shared_executor()
    pending = deque(executor.submit(_fetch, store, *span) for span in islice(spans, _AHEAD))
    try:
        yield from _read_block(store, *first)
        while pending:
            pieces = pending.popleft().result()
            pending.extend(executor.submit(_fetch, store, *span) for span in islice(spans, 1))
            yield from pieces
    finally:
        for future in pending:
            future.cancel()


def _fetch(store: BlockStore, digest: bytes, start: int, stop: int) -> list[bytes]:
    return list(_read_block(store, digest, start, stop))


def _read_block(store: BlockStore, digest: bytes, start: int, stop: int) -> Iterator[bytes]:
    opened = store.open(digest)
    position = start
    if opened is not None:
        file, stored = opened
        with file:
            file.seek(start)
            while position < min(stop, stored):
                piece = file.read(min(_PIECE, min(stop, stored) - position))
                if not piece:
                    raise BlockStoreError(f"block {digest.hex()} ended early")
                yield piece
                position += len(piece)
    while position < stop:
        yield bytes(min(_PIECE, stop - position))
        position += min(_PIECE, stop - position)


def started(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Fetch the first piece at once, so that a missing or damaged block is a fault and not a broken reply."""
    with store_faults():
        first = next(pieces, None)
    return _resume(first, pieces)


def _resume(first: bytes | None, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first is not None:
        yield first
        yield from pieces


def md5_of(store: BlockStore, digests: Sequence[bytes], size: int) -> str:
    """Return the MD5 in hexadecimal of the object's ``size`` bytes, reading every block."""
    md5 = hashlib.md5(usedforsecurity=False)
    with store_faults():
        for piece in read_range(store, digests, 0, size):
            md5.update(piece)
    return md5.hexdigest()
