"""Image metadata in HTTP headers, both ways (image contract 1)."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

from cyclades.api.image.rendering import moment_text
from cyclades.logic.images import Image
from synnefo.errors import BadRequest

_META = "HTTP_X_IMAGE_META_"
_PROPERTY = "PROPERTY_"
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, "_"))
#: More properties than fit are refused before they are looked at.
MAX_HEADERS = 200

#: Fields whose text is percent-encoded.
_ENCODED = frozenset({"name"})
#: Fields that clients may send; each request says which of them it takes.
KNOWN_FIELDS = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "deleted_at",
        "disk_format",
        "id",
        "is_public",
        "is_snapshot",
        "location",
        "name",
        "owner",
        "size",
        "status",
        "store",
        "updated_at",
    }
)


@dataclass(frozen=True)
class ImageHeaders:
    """The known fields and the properties of a request's headers."""

    fields: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


def read(environ: Mapping[str, object]) -> ImageHeaders:
    """Return the metadata in a WSGI *environ*; raises ``BadRequest`` for what can't be decoded.

    Unknown fields are dropped. Names of properties lose their case, and their punctuation becomes
    underscores.
    """
    headers = {name: str(value) for name, value in environ.items() if name.startswith(_META)}
    if len(headers) > MAX_HEADERS:
        raise BadRequest(f"More than {MAX_HEADERS} image headers")
    found = ImageHeaders()
    for name, value in headers.items():
        key = name[len(_META) :]
        if key.startswith(_PROPERTY):
            found.properties[property_key(key[len(_PROPERTY) :])] = _decode(value, "property")
        elif key.lower() in KNOWN_FIELDS:
            field_name = key.lower()
            found.fields[field_name] = (
                _decode(value, field_name) if field_name in _ENCODED else _plain(value, field_name)
            )
    return found


def property_key(text: str) -> str:
    """Return the name of the property that a header's name carries."""
    return _decode(text, "property name").translate(_PUNCTUATION).lower()


def _decode(text: str, what: str) -> str:
    """Percent-decode header text, which WSGI hands over as Latin-1."""
    try:
        decoded = unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
    except UnicodeError as error:
        raise BadRequest(f"The image's {what} is not percent-encoded UTF-8") from error
    if "\0" in decoded:
        raise BadRequest(f"The image's {what} has a null character")
    return decoded


def _plain(text: str, what: str) -> str:
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError as error:
        raise BadRequest(f"The image's {what} is not UTF-8") from error


def write(image: Image) -> dict[str, str]:
    """Return *image* as response headers."""
    return dict(_fields(image)) | {
        f"x-image-meta-property-{quote(key, safe='').replace('_', '-')}": quote(value, safe="")
        for key, value in image.properties.items()
    }


def _fields(image: Image) -> Iterator[tuple[str, str]]:
    texts = {
        "id": image.id,
        "name": quote(image.name, safe=""),
        "status": image.shown_status,
        "location": image.location,
        "checksum": image.checksum,
        "size": str(image.size),
        "owner": image.owner,
        "is-public": str(image.is_public),
        "is-snapshot": str(image.is_snapshot),
        "created-at": moment_text(image.created_at),
        "updated-at": moment_text(image.updated_at),
        "deleted-at": "",
        "disk-format": quote(image.disk_format or ""),
        "container-format": quote(image.container_format or ""),
        "description": quote(image.description or "", safe=""),
    }
    for name, text in texts.items():
        yield f"x-image-meta-{name}", text
