"""Request bodies as a stream of blocks (object-storage contract 2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest

from synnefo.errors import BadRequest, LengthRequired

MAX_BODY = 5 * 1024**3
_PIECE = 1 << 20


def is_chunked(request: HttpRequest) -> bool:
    """Tell whether the body comes in chunks, its length unknown."""
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def body_length(request: HttpRequest) -> int | None:
    """Return the length of the body in bytes, None if it is chunked; raise LengthRequired or BadRequest."""
    if is_chunked(request):
        return None
    text = request.META.get("CONTENT_LENGTH") or ""
    if not text.isascii() or not text.isdigit():
        raise LengthRequired("A Content-Length header is required.")
    length = int(text) if len(text) < 20 else MAX_BODY + 1
    if length > MAX_BODY:
        raise BadRequest(f"The body is larger than {MAX_BODY} bytes. Upload the object in blocks.")
    return length


def body_blocks(request: HttpRequest, block_size: int, *, limit: int | None = None) -> Iterator[memoryview]:
    """Yield the body in pieces of exactly ``block_size`` bytes; only the last may be shorter.

    ``limit``: bytes to read at most of a chunked body. Raises BadRequest when the client goes away early or
    a chunked body is too long.
    """
    length = body_length(request)
    remaining = MAX_BODY if length is None else length
    if limit is not None:
        remaining = min(remaining, limit)
    while remaining > 0:
        # A small object must not cost a whole block of memory.
        capacity = block_size if length is None else min(block_size, remaining)
        block = _read_block(request, capacity)
        remaining -= len(block)
        if len(block) < capacity and length is not None:
            raise BadRequest("The connection was closed before the whole body arrived.")
        if block:
            yield block
        if len(block) < capacity:
            return
    if length is None and limit is None and _read(request, 1):
        raise BadRequest(f"The body is larger than {MAX_BODY} bytes. Upload the object in blocks.")


def _read_block(request: HttpRequest, capacity: int) -> memoryview:
    """Read up to ``capacity`` bytes; the server hands over whatever has arrived, so keep asking."""
    if hasattr(request.META["wsgi.input"], "readinto") and not is_chunked(request):
        return _receive_block(request, capacity)
    first = _read(request, min(capacity, _PIECE))
    if len(first) == capacity or not first:
        return memoryview(first)
    buffer = bytearray(capacity)
    filled = len(first)
    buffer[:filled] = first
    while filled < capacity:
        piece = _read(request, min(_PIECE, capacity - filled))
        if not piece:
            break
        buffer[filled : filled + len(piece)] = piece
        filled += len(piece)
    return memoryview(buffer)[:filled]


def _receive_block(request: HttpRequest, capacity: int) -> memoryview:
    """Read up to ``capacity`` bytes without a copy, from a server that offers that."""
    block = memoryview(bytearray(capacity))
    filled = 0
    with _faults_of_reading():
        while filled < capacity:
            received = request.META["wsgi.input"].readinto(block[filled:])
            if not received:
                break
            filled += received
    return block[:filled]


@contextmanager
def _faults_of_reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadRequest("The connection was closed before the whole body arrived.") from error


def _read(request: HttpRequest, size: int) -> bytes:
    # Django's own reader returns nothing for chunked bodies, so the server's stream is read directly.
    with _faults_of_reading():
        piece: bytes = request.META["wsgi.input"].read(size)
    return piece
