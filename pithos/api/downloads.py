"""Replies that carry an object: headers, data, ranges (object-storage contract 7)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import IO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from pithos.api.headers import encode_name, encode_value
from pithos.api.links import public_url
from pithos.api.rendering import dumps, reply_format, xml_document, xml_element
from pithos.api.user_content import media_of, policy
from pithos.blocks.opened import block_store
from pithos.conditions import check_dates, http_date, parse_conditions, range_applies
from pithos.logic import objects
from pithos.logic.objects import ObjectView
from pithos.ranges import ByteRange, parse_range
from pithos.streams import started, store_faults
from synnefo.errors import NotModified

_PIECE = 1 << 20


class SizedFile:
    """``length`` bytes of an open file, from where it stands; what a web server's file sending wants."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self.file = file
        self.remaining = length

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, nothing at the end."""
        piece = self.file.read(min(size, self.remaining)) if self.remaining else b""
        self.remaining -= len(piece)
        return piece

    def fileno(self) -> int:
        """Return the descriptor, with which the server sends the file itself."""
        return self.file.fileno()

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class OpenFileResponse(StreamingHttpResponse):
    """A reply whose whole body is a stretch of one open file; Django hands it to ``wsgi.file_wrapper``."""

    block_size = _PIECE

    def __init__(self, file: SizedFile, status: int) -> None:
        super().__init__(iter(lambda: file.read(_PIECE), b""), status=status)
        self.file_to_stream = file
        self._resource_closers.append(file.file.close)  # type: ignore[attr-defined]


def object_headers(view: ObjectView) -> dict[str, str]:
    """Return the headers that describe an object to its owner or a sharer."""
    version = view.version
    headers = _common_headers(view) | {
        "X-Object-Hash": version.hash or "",
        "X-Object-UUID": version.uuid,
        "X-Object-Version": str(version.pk),
        "X-Object-Version-Timestamp": http_date(version.mtime),
        "X-Object-Modified-By": version.muser,
    }
    headers.update(view.metadata)
    if view.sharing:
        headers["X-Object-Sharing"] = view.sharing.header
        if view.shared_by is not None:
            address = view.address
            headers["X-Object-Shared-By"] = f"{address.account}/{address.container}/{view.shared_by}"
        if view.allowed_to is not None:
            headers["X-Object-Allowed-To"] = view.allowed_to
    if view.public_id is not None:
        headers["X-Object-Public"] = public_url(view.public_id)
    return headers


def public_headers(view: ObjectView) -> dict[str, str]:
    """Return the headers that describe an object to anybody: nothing about its owner."""
    kept = ("Content-Encoding", "Content-Disposition")
    return _common_headers(view) | {key: view.metadata[key] for key in kept if key in view.metadata}


def _common_headers(view: ObjectView) -> dict[str, str]:
    return {
        "ETag": view.etag,
        "Last-Modified": http_date(view.last_modified),
        "Available": str(view.version.available),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }


def head_reply(
    request_headers: Mapping[str, str], view: ObjectView, headers: Mapping[str, str]
) -> HttpResponse:
    """Return the reply to HEAD of an object."""
    check_conditions(request_headers, view)
    response = HttpResponse(b"", status=200)
    _dress(response, view, headers, view.size)
    return response


def data_reply(
    request: HttpRequest, request_headers: Mapping[str, str], view: ObjectView, headers: Mapping[str, str]
) -> HttpResponseBase:
    """Return the object's data, or the parts that a Range header asks for."""
    check_conditions(request_headers, view)
    objects.require_available(view.version)
    headers = dict(headers)
    headers["Content-Disposition"] = _disposition(request, view)
    ranges = None
    if range_applies(request_headers.get("if-range"), view.etag, view.last_modified):
        ranges = parse_range(request_headers.get("range"), view.size)
    if ranges is None:
        return single_reply(view, headers, ByteRange(0, view.size), 200)
    if len(ranges) == 1:
        part = ranges[0]
        headers["Content-Range"] = content_range(part, view.size)
        return single_reply(view, headers, part, 206)
    return multipart_reply(view, headers, ranges)


def hashmap_reply(
    request: HttpRequest, request_headers: Mapping[str, str], view: ObjectView, headers: Mapping[str, str]
) -> HttpResponse:
    """Return the list of the object's own blocks."""
    check_conditions(request_headers, view)
    store = block_store()
    hashes = [digest.hex() for digest in objects.digests_of(view.version)] or [store.empty.hex()]
    size = view.version.size
    if reply_format(request) == "xml":
        attributes = {
            "name": view.address.name,
            "bytes": str(size),
            "block_size": str(store.block_size),
            "block_hash": store.algorithm,
        }
        body = xml_document("object", attributes, [xml_element("hash", text) for text in hashes])
    else:
        body = dumps(
            {
                "block_hash": store.algorithm,
                "block_size": store.block_size,
                "bytes": size,
                "hashes": hashes,
            }
        )
    response = HttpResponse(body.encode(), status=200)
    _dress(response, view, headers, len(response.content))
    return response


def check_conditions(request_headers: Mapping[str, str], view: ObjectView) -> None:
    """Raise NotModified or PreconditionFailed by the request's conditions."""
    check_dates(request_headers, view.last_modified)
    try:
        parse_conditions(request_headers).check_read(view.etag)
    except NotModified as error:
        error.headers |= {"ETag": view.etag, "Last-Modified": http_date(view.last_modified)}
        raise


def single_reply(
    view: ObjectView, headers: Mapping[str, str], part: ByteRange, status: int
) -> HttpResponseBase:
    """Return one stretch of data: by the server from a block's file if it lies inside one, else streamed."""
    file = _open_inside_block(view, part)
    response: HttpResponseBase
    if file is not None:
        response = OpenFileResponse(SizedFile(file, part.length), status)
    else:
        pieces = started(objects.read(view, part.offset, part.length))
        response = StreamingHttpResponse(pieces, status=status)
    _dress(response, view, headers, part.length)
    return response


def _open_inside_block(view: ObjectView, part: ByteRange) -> IO[bytes] | None:
    store = block_store()
    index, offset = divmod(part.offset, store.block_size)
    if (
        not store.has_files
        or len(view.parts) != 1
        or view.parts[0].length is not None
        or not part.length
        or offset + part.length > store.block_size
    ):
        return None
    with store_faults():
        opened = store.open(objects.load_map(view.parts[0])[index])
    if opened is None:
        return None
    file, stored = opened
    if offset + part.length > stored:  # the rest is NULs that no file has
        file.close()
        return None
    file.seek(offset)
    return file


def multipart_reply(
    view: ObjectView, headers: Mapping[str, str], ranges: list[ByteRange], *, content_type: str = ""
) -> HttpResponseBase:
    """Return several stretches of data.

    ``content_type`` is repeated in each part if it is given, and then the whole has a length.
    """
    boundary = secrets.token_hex(16)
    type_line = f"Content-Type: {content_type}\r\n" if content_type else ""
    leads = [
        f"--{boundary}\r\n{type_line}"
        f"Content-Range: {content_range(part, view.size)}\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        for part in ranges
    ]
    leads[1:] = [f"\r\n{lead}" for lead in leads[1:]]
    end = f"\r\n--{boundary}--\r\n"

    def body() -> Iterator[bytes]:
        for lead, part in zip(leads, ranges, strict=True):
            yield lead.encode()
            yield from objects.read(view, part.offset, part.length)
        yield end.encode()

    with store_faults():
        # Meet a missing or damaged block while the answer can still be a fault.
        next(objects.read(view, ranges[0].offset, 1))
    response = StreamingHttpResponse(body(), status=206)
    length = sum(map(len, (*leads, end))) + sum(part.length for part in ranges)
    _dress(response, view, headers, length if content_type else None)
    response["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return response


def content_range(part: ByteRange, size: int) -> str:
    """Return the Content-Range header of a part."""
    return f"bytes {part.offset}-{part.offset + part.length - 1}/{size}"


def _disposition(request: HttpRequest, view: ObjectView) -> str:
    """Return the file name for browsers; the user's own value unless a kind is asked for (contract 7.2)."""
    kind = request.GET.get("disposition-type")
    own = view.metadata.get("Content-Disposition")
    if kind not in ("inline", "attachment"):
        if own:
            return own
        kind = "inline"
    name = view.address.name
    plain = name.replace("\\", "\\\\").replace('"', '\\"')
    if name.isascii() and name.isprintable():
        return f'{kind}; filename="{plain}"'
    fallback = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    return f"{kind}; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


def _dress(
    response: HttpResponseBase, view: ObjectView, headers: Mapping[str, str], length: int | None
) -> None:
    for name, value in headers.items():
        # The percent signs of an extended file name are its encoding already.
        is_encoded = name == "Content-Disposition" and "filename*=UTF-8''" in value and value.isascii()
        response[encode_name(name)] = value if is_encoded else encode_value(value)
    response["Content-Type"] = view.version.type or "application/octet-stream"
    # Also a call of the API can be a link that a browser opens: signed, public, or with somebody's token.
    response["Content-Security-Policy"] = policy(media_of(view.version.type))
    if length is not None:
        response["Content-Length"] = str(length)
