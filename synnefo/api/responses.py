"""Answers in the two body formats and the headers every API answer carries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from synnefo.errors import SynnefoError

JSON_TYPE = "application/json; charset=UTF-8"
XML_TYPE = "application/xml; charset=UTF-8"
_SPOOL_BYTES, _CHUNK_BYTES = 1 << 20, 64 << 10
#: Faults of these namespaces are what the original's XML readers expect.
IDENTITY_NAMESPACE = "http://docs.openstack.org/identity/api/v2.0"


_ENCODER = json.JSONEncoder(ensure_ascii=False)


def json_bytes(data: Any) -> bytes:
    """Return *data* as JSON in UTF-8, for bodies that are put together from parts."""
    return _ENCODER.encode(data).encode("utf-8", "surrogateescape")


def json_member(data: Mapping[str, Any], name: str, rendered: bytes) -> bytes:
    """Return the object *data* as JSON with one more member *name*, whose value is JSON already."""
    comma = b", " if data else b""
    return b"".join((json_bytes(data)[:-1], comma, json_bytes(name), b": ", rendered, b"}"))


def rendered_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return *body*, which is JSON already, as ``json_response`` would have it."""
    return HttpResponse(body, status=status, content_type=JSON_TYPE, headers=dict(headers or {}))


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return *data* as JSON with the content type clients compare byte by byte."""
    return rendered_response(json_bytes(data), status, headers)


def _chunks(spool: IO[bytes]) -> Iterator[bytes]:
    with spool:
        while chunk := spool.read(_CHUNK_BYTES):
            yield chunk


def spooled_response(pieces: Iterable[bytes]) -> HttpResponseBase:
    """Return a long JSON body that is made piece by piece, with its length, in bounded memory.

    It is made before the answer begins, beyond ``_SPOOL_BYTES`` in a file: clients read as many bytes as
    they are told, and a failure half-way must still become a fault.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  (closed with the response)
    for piece in pieces:  # not writelines, which looks at the size at its end only
        spool.write(piece)
    length = spool.tell()
    spool.seek(0)
    if length <= _SPOOL_BYTES:
        with spool:
            return rendered_response(spool.read())
    # Django closes the generator, and that the file, with the response.
    response = StreamingHttpResponse(_chunks(spool), content_type=JSON_TYPE)
    response["Content-Length"] = str(length)
    return response


def empty_response(status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer without a body that still carries the JSON content type."""
    return HttpResponse(b"", status=status, content_type=JSON_TYPE, headers=dict(headers or {}))


def requested_format(request: HttpRequest) -> str:
    """Return ``json`` or ``xml``: query, then path suffix, then Accept (identity contract 0.2)."""
    for candidate in (request.GET.get("format", ""), request.path.rpartition(".")[2]):
        if candidate in ("json", "xml"):
            return candidate
    for item in request.META.get("HTTP_ACCEPT", "").split(","):
        media_type = item.split(";")[0].strip()
        if media_type in ("application/json", "application/xml"):
            return media_type.rpartition("/")[2]
    return "json"


def fault_response(request: HttpRequest, error: SynnefoError, *, xml: bool = False) -> HttpResponse:
    """Render *error* as the dialect's fault body, in XML where the client asked and *xml* allows."""
    if error.code == 304:
        response = HttpResponse(b"", status=304)
        del response["Content-Type"]
    elif xml and requested_format(request) == "xml":
        response = HttpResponse(_fault_xml(error), status=error.code, content_type=XML_TYPE)
    else:
        response = json_response({error.name: _fault_fields(error)}, status=error.code)
    for header, value in error.headers.items():
        response[header] = value
    return response


def _fault_fields(error: SynnefoError) -> dict[str, Any]:
    fields: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        fields["data"] = error.data
    else:
        fields["details"] = error.details
    return fields


def _fault_xml(error: SynnefoError) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<{error.name} xmlns={quoteattr(IDENTITY_NAMESPACE)} code={quoteattr(str(error.code))}>"
        f"<message>{escape(_printable(error.message))}</message>"
        f"<details>{escape(_printable(error.details))}</details></{error.name}>"
    )


def _printable(text: str) -> str:
    """Drop what XML 1.0 has no way to write."""
    return "".join(
        c for c in text if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
    )


def finish(response: HttpResponseBase) -> HttpResponseBase:
    """Add the caching headers and the length unless the handler set its own."""
    response.setdefault("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate")
    response.setdefault("Vary", "X-Auth-Token")
    if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
        response.setdefault("Content-Length", str(len(response.content)))
    return response
