"""The body of a hashmap upload (object-storage contract 8.2)."""

from __future__ import annotations

import json

from django.conf import settings
from django.http import HttpRequest

from pithos.api.bodies import body_length, is_chunked
from pithos.hashing import parse_digest
from synnefo.errors import BadRequest

# Enough for 16 TiB in blocks of 4 MiB.
MAX_HASHMAP = 288 << 20
_MAX_SIZE = 2**62
_PIECE = 1 << 20


def read_hashmap(request: HttpRequest) -> tuple[int, list[bytes]]:
    """Return the size in bytes and the raw block digests that the body lists; raise BadRequest."""
    try:
        body = json.loads(_read_all(request))
    except (ValueError, RecursionError):
        raise BadRequest("The hashmap is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The hashmap must be an object with bytes and hashes.")
    size, hashes = body.get("bytes"), body.get("hashes")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise BadRequest("The hashmap's bytes must be the object's size.")
    if not isinstance(hashes, list):
        raise BadRequest("The hashmap's hashes must be a list.")
    for key, expected in (
        ("block_size", settings.PITHOS_BACKEND_BLOCK_SIZE),
        ("block_hash", settings.PITHOS_BACKEND_HASH_ALGORITHM),
    ):
        if key in body and body[key] != expected:
            raise BadRequest(f"The hashmap's {key} must be {expected}.")
    try:
        algorithm = settings.PITHOS_BACKEND_HASH_ALGORITHM
        return size, [parse_digest(text, algorithm) for text in hashes]
    except ValueError:
        raise BadRequest("The hashmap's hashes must be block hashes in hexadecimal.") from None


def _read_all(request: HttpRequest) -> bytes:
    length = body_length(request)
    limit = MAX_HASHMAP if length is None else length
    if limit > MAX_HASHMAP:
        raise BadRequest(f"The hashmap is larger than {MAX_HASHMAP} bytes.")
    stream = request.META["wsgi.input"]
    pieces: list[bytes] = []
    total = 0
    try:
        while total < limit and (piece := stream.read(min(_PIECE, limit - total))):
            pieces.append(piece)
            total += len(piece)
        if total == limit and is_chunked(request) and stream.read(1):
            raise BadRequest(f"The hashmap is larger than {MAX_HASHMAP} bytes.")
    except OSError as error:
        raise BadRequest("The connection was closed before the whole body arrived.") from error
    if length is not None and total < length:
        raise BadRequest("The connection was closed before the whole body arrived.")
    return b"".join(pieces)
