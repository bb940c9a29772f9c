"""Request and response headers: percent-encoding, metadata, and the ``~`` that means empty.

Clients percent-encode names and values of headers that are not plain ASCII; both directions are part of the
wire contract (object-storage contract 2.3).
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest

from pithos.paths import MAX_CONTAINER, MAX_OBJECT
from synnefo.errors import BadRequest

MAX_META_HEADERS = 90
MAX_META_NAME = 128
MAX_META_VALUE = 256
#: A container, a slash, and the beginning of an object's name.
MAX_MANIFEST_VALUE = MAX_CONTAINER + 1 + MAX_OBJECT

# Everything visible in ASCII except "%".
_VALUE_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_PLAIN = re.compile(r"[ -$&-~]*")
_NAME_SAFE = "!#$&'*+-.^_`|~"
# Headers outside these belong to the connection or to the browser and are nobody's business here.
_RELEVANT = re.compile(r"HTTP_(X_|IF_|CONTENT_)|HTTP_(DESTINATION|ETAG|RANGE)(_ACCOUNT)?$")


def request_headers(request: HttpRequest) -> dict[str, str]:
    """Return the request's headers by lower-case name, decoded; "~" as the empty text.

    Raises BadRequest for what is not UTF-8 after decoding or contains NUL.
    """
    decoded: dict[str, str] = {}
    for key, raw in request.META.items():
        if _RELEVANT.match(key) and isinstance(raw, str):
            name, value = key[5:].replace("_", "-"), raw
            if "%" in name or "%" in value:
                name, value = _unquote(name), _unquote(value)
            decoded[_utf8(name).lower()] = "" if value == "~" else _utf8(value).strip()
    content_type = request.META.get("CONTENT_TYPE", "")
    if not content_type.isascii() or not content_type.isprintable():
        raise BadRequest("The Content-Type header is not plain ASCII.")
    if len(content_type) > MAX_META_VALUE:
        raise BadRequest(f"The Content-Type header is longer than {MAX_META_VALUE} characters.")
    decoded["content-type"] = content_type.strip()
    return decoded


def _unquote(text: str) -> str:
    # A "%" that begins no escape is literal; WSGI hands bytes over as latin-1.
    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("latin-1")


def _utf8(text: str) -> str:
    try:
        value = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise BadRequest("A header is not UTF-8.") from None
    if "\0" in value:
        raise BadRequest("A header contains a NUL character.")
    return value


def encode_value(value: str) -> str:
    """Return a response header value in ASCII: control characters, non-ASCII and "%" percent-encoded."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_VALUE_SAFE)


@lru_cache(maxsize=256)
def encode_name(name: str) -> str:
    """Return a response header name as an HTTP token, everything else percent-encoded."""
    return quote(name, safe=_NAME_SAFE)


def normalise_key(text: str) -> str:
    """Return a metadata key as it is stored: pieces between hyphens capitalised."""
    return "-".join(piece.capitalize() for piece in text.replace("_", "-").split("-"))


def prefixed(headers: dict[str, str], prefix: str) -> dict[str, str]:
    """Return what follows ``prefix`` (lower case) in header names, with the values."""
    return {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}


def metadata(headers: dict[str, str], level: str) -> dict[str, str]:
    """Return the user metadata among ``headers`` under full stored names; ``level`` is e.g. "Object".

    Raises BadRequest for too many, too long names or values (object-storage contract 2.7).
    """
    found: dict[str, str] = {}
    items = prefixed(headers, f"x-{level.lower()}-meta-")
    if len(items) > MAX_META_HEADERS:
        raise BadRequest(f"More than {MAX_META_HEADERS} metadata headers.")
    for suffix, value in items.items():
        if not suffix:
            continue
        name = f"X-{level}-Meta-{normalise_key(suffix)}"
        if len(name) > MAX_META_NAME:
            raise BadRequest(f"A metadata header name is longer than {MAX_META_NAME} characters.")
        found[name] = limited(name, value)
    return found


def object_metadata(headers: dict[str, str]) -> dict[str, str]:
    """Return the user metadata of an object: ``X-Object-Meta-*`` and the three headers kept with it."""
    found = metadata(headers, "Object")
    for name in ("Content-Encoding", "Content-Disposition", "X-Object-Manifest"):
        if name.lower() in headers:
            limit = MAX_MANIFEST_VALUE if name == "X-Object-Manifest" else MAX_META_VALUE
            found[name] = limited(name, headers[name.lower()], limit)
    return found


def limited(name: str, value: str, limit: int = MAX_META_VALUE) -> str:
    """Return ``value`` unless it is too long for a metadata value; raise BadRequest naming the header."""
    if len(value) > limit:
        raise BadRequest(f"The value of {name} is longer than {limit} characters.")
    return value


def tri_state(headers: dict[str, str], name: str) -> bool | None:
    """Return a true/false/empty header as a boolean, None if absent; raise BadRequest for other values."""
    value = headers.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false", ""):
        raise BadRequest(f"The header {name} must be true or false.")
    return value.lower() == "true"
