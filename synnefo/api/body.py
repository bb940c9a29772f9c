"""Reading JSON request bodies, bounded in size and depth."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from synnefo.errors import BadRequest, RequestTooLarge

MAX_JSON_BYTES = 1 << 20


def read_json(
    request: HttpRequest, *, max_bytes: int = MAX_JSON_BYTES, require_content_type: bool = True
) -> Any:
    """Return the decoded JSON body of *request*.

    Raises ``BadRequest`` for a missing or foreign content type and for a body that is not JSON, and
    ``RequestTooLarge`` beyond *max_bytes*.
    """
    if require_content_type:
        _check_content_type(request)
    return parse_json(read_bytes(request, max_bytes), "The request body")


def parse_json(raw: bytes, what: str) -> Any:
    """Return what the JSON text *raw* says; raises ``BadRequest`` about *what* for any other and for text
    that no database keeps.
    """
    try:
        value = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{what} is not valid JSON") from error
    # Neither can be written in JSON but by its escape.
    if b"\\u" in raw and _has_unstorable_text(value):
        raise BadRequest(f"{what} contains characters that cannot be stored")
    return value


def read_object(
    request: HttpRequest, *, max_bytes: int = MAX_JSON_BYTES, require_content_type: bool = True
) -> dict[str, Any]:
    """Return the JSON body, which must be an object; raises like ``read_json``."""
    value = read_json(request, max_bytes=max_bytes, require_content_type=require_content_type)
    if not isinstance(value, dict):
        raise BadRequest("The request body must be a JSON object")
    return value


def read_bytes(request: HttpRequest, max_bytes: int) -> bytes:
    """Return the raw body, also of a chunked request, refusing more than *max_bytes*."""
    length_text = request.META.get("CONTENT_LENGTH") or ""
    if length_text and (not length_text.isdigit() or int(length_text) > max_bytes):
        raise RequestTooLarge(f"The request body is larger than {max_bytes} bytes")
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    try:
        # Django reads nothing of a chunked body, whose length it does not know.
        raw: bytes = request.META["wsgi.input"].read(max_bytes + 1) if chunked else request.body
    except (UnreadablePostError, RawPostDataException, OSError) as error:
        raise BadRequest("The request body ended early") from error
    if len(raw) > max_bytes:
        raise RequestTooLarge(f"The request body is larger than {max_bytes} bytes")
    return raw


def _check_content_type(request: HttpRequest) -> None:
    content_type = request.META.get("CONTENT_TYPE", "")
    if not content_type:
        raise BadRequest("Missing Content-Type header field")
    if not content_type.startswith("application/json"):
        raise BadRequest(f"Unsupported Content-type: '{content_type[:100]}'")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _has_unstorable_text(value: Any) -> bool:
    """Tell whether a string holds NUL or a lone surrogate, which no database column can keep."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= character <= "\udfff" for character in item):
                return True
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return False
