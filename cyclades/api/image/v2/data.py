"""The bytes of an image, both ways (image contract 11)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from cyclades.api.compute.dialect import acting
from cyclades.logic import images as image_logic
from cyclades.logic import queued_images
from pithos import public as pithos
from synnefo.api import empty_response
from synnefo.errors import BadRequest, LengthRequired, RangeNotSatisfiable, UnsupportedMediaType

_PIECE = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_CONTENT_TYPE = "application/octet-stream"


def upload(request: HttpRequest, image_id: str) -> HttpResponse:
    """Store the image's data, piece by piece as it comes."""
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip() != _CONTENT_TYPE:
        raise UnsupportedMediaType(f"The data of an image must be {_CONTENT_TYPE}")
    length = _body_length(request)
    size = length if length is not None else _hinted_size(request)
    queued_images.upload(acting(request), image_id=image_id, pieces=_pieces(request, length), size=size)
    return empty_response(204)


def _body_length(request: HttpRequest) -> int | None:
    """Return the length of the body in bytes, ``None`` for one in chunks."""
    if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    text = request.META.get("CONTENT_LENGTH") or ""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise LengthRequired("A Content-Length header, or a body in chunks, is required.")
    return int(text)


def _hinted_size(request: HttpRequest) -> int | None:
    text = request.headers.get("X-OpenStack-Image-Size", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _pieces(request: HttpRequest, length: int | None) -> Iterator[bytes]:
    """Yield the body; raises ``BadRequest`` when the client goes away early."""
    stream, remaining = request.META["wsgi.input"], length
    while remaining is None or remaining > 0:
        try:
            piece = stream.read(_PIECE if remaining is None else min(_PIECE, remaining))
        except OSError as error:
            raise BadRequest("The connection was closed before the whole image arrived.") from error
        if not piece:
            break
        remaining = None if remaining is None else remaining - len(piece)
        yield piece
    if remaining:
        raise BadRequest("The connection was closed before the whole image arrived.")


def download(request: HttpRequest, image_id: str) -> HttpResponseBase:
    """Send the image's data, or the stretch of it that a Range header asks for."""
    credentials = acting(request)
    image = queued_images.find(credentials, image_id=image_id)
    if not image.location:
        return empty_response(204)
    start, length, is_part = _stretch(request.headers.get("Range", ""), image.size)
    store_credentials = image_logic.acting_on_store(credentials)
    pieces = pithos.open_object(store_credentials, uuid=image.id, offset=start, length=length)
    response = StreamingHttpResponse(pieces, status=206 if is_part else 200, content_type=_CONTENT_TYPE)
    response["Content-Length"] = str(length)
    response["X-Content-Type-Options"] = "nosniff"
    if is_part:
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{image.size}"
    elif image.md5:
        response["Content-MD5"] = image.md5
    return response


def _stretch(header: str, size: int) -> tuple[int, int, bool]:
    """Return offset and length of what a Range header asks for, and whether that is a part.

    A header that names several ranges or is malformed counts as none. Raises ``RangeNotSatisfiable``.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return 0, size, False
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return 0, size, False
    if start > end:
        raise RangeNotSatisfiable(f"The image has {size} bytes.")
    return start, end - start + 1, True
