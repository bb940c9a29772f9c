"""What clients of Glance v2 say of an image: a new document, or a patch of one (image contract 11)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cyclades.api.image.v2.rendering import DISK_FORMATS, OWN_PREFIX, render
from cyclades.logic.image_changes import MAX_VALUE, ImageFields
from cyclades.logic.images import Image
from synnefo.errors import BadRequest, Conflict, Forbidden

READ_ONLY = frozenset(
    {
        "checksum",
        "created_at",
        "deleted_at",
        "direct_url",
        "file",
        "id",
        "locations",
        "os_hash_algo",
        "os_hash_value",
        "owner",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "updated_at",
        "virtual_size",
    }
)
#: The fields that clients set; everything else that is not read-only is a property.
SETTABLE = frozenset(
    {
        "container_format",
        "disk_format",
        "min_disk",
        "min_ram",
        "name",
        "os_hidden",
        "protected",
        "tags",
        "visibility",
    }
)
MAX_OPERATIONS = 200
MAX_TAGS = 50
_INPUT_FORMATS = {theirs: ours for ours, theirs in DISK_FORMATS.items()}


def new_fields(body: Mapping[str, Any]) -> ImageFields:
    """Return what a new image's document says; raises ``BadRequest`` and ``Forbidden``."""
    _refuse_read_only(set(body) - {"id"})
    return fields_of(body)


def _refuse_read_only(names: set[str]) -> None:
    for name in sorted(names):
        if name in READ_ONLY or name.startswith(OWN_PREFIX):
            raise Forbidden(f"Attribute '{name[:64]}' is read-only.")


def fields_of(values: Mapping[str, Any]) -> ImageFields:
    """Return the changes that *values*, by the names of the document, stand for; raises ``BadRequest``."""
    disk_format = _text(values, "disk_format")
    visibility = _text(values, "visibility")
    if visibility not in (None, "public", "private", "shared"):
        raise BadRequest("'visibility' must be public, private or shared")
    return ImageFields(
        name=_text(values, "name"),
        disk_format=_INPUT_FORMATS.get(disk_format or "", disk_format),
        container_format=_text(values, "container_format"),
        is_public=None if visibility is None else visibility == "public",
        extras=_extras(values),
        properties={
            key: _property(key, value)
            for key, value in values.items()
            if key not in SETTABLE and key not in READ_ONLY
        },
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > 255):
        raise BadRequest(f"'{name}' must be a string of at most 255 characters")
    return value


def _property(key: str, value: Any) -> str:
    """Return a property's value; one without text is not kept."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"Property '{key[:64]}' must be a string")
    return value


def _extras(values: Mapping[str, Any]) -> dict[str, str]:
    extras: dict[str, str] = {}
    for name in ("protected", "os_hidden"):
        if name in values:
            if not isinstance(values[name], bool):
                raise BadRequest(f"'{name}' must be true or false")
            extras[name] = "true" if values[name] else ""
    for name in ("min_disk", "min_ram"):
        if name in values:
            number = values[name]
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 10**9:
                raise BadRequest(f"'{name}' must be an integer of at least 0")
            extras[name] = str(number) if number else ""
    if "tags" in values:
        extras["tags"] = tags_text(values["tags"])
    return extras


def tags_text(tags: Any) -> str:
    """Return tags as they are stored; raises ``BadRequest`` for what can't be kept."""
    if not isinstance(tags, list) or not all(isinstance(tag, str) and 0 < len(tag) <= 255 for tag in tags):
        raise BadRequest("'tags' must be a list of strings of 1 to 255 characters")
    text = json.dumps(sorted(set(tags)), ensure_ascii=False, separators=(",", ":")) if tags else ""
    if len(set(tags)) > MAX_TAGS or len(text) > MAX_VALUE:
        raise BadRequest(f"The tags of an image take more than {MAX_VALUE} characters together")
    return text


def patched_fields(image: Image, operations: Any) -> ImageFields:
    """Return the changes that a JSON patch of the image's document makes.

    Raises ``BadRequest``, ``Forbidden`` for what is read-only, ``Conflict`` for removing or replacing what
    is not there.
    """
    if not isinstance(operations, list) or len(operations) > MAX_OPERATIONS:
        raise BadRequest(f"The body must be a list of at most {MAX_OPERATIONS} operations")
    document = {k: v for k, v in render(image).items() if k in SETTABLE or k in image.properties}
    before = dict(document)
    for operation in operations:
        _apply(document, operation)
    changed = {name: value for name, value in document.items() if before.get(name) != value}
    fields = fields_of(changed)
    removed = tuple(sorted(set(before) - set(document)))
    return ImageFields(**{**vars(fields), "removed_properties": removed})


def _apply(document: dict[str, Any], operation: Any) -> None:
    if not isinstance(operation, dict):
        raise BadRequest("Each operation must be an object")
    name = _attribute(operation.get("path"))
    _refuse_read_only({name})
    verb = operation.get("op")
    if verb not in ("add", "replace", "remove"):
        raise BadRequest("'op' must be add, replace or remove")
    if verb != "add" and name not in document:
        raise Conflict(f"The image has no attribute '{name[:64]}'.")
    if verb != "remove":
        if "value" not in operation:
            raise BadRequest(f"The operation on '{name[:64]}' has no 'value'")
        document[name] = operation["value"]
    elif name in SETTABLE:
        raise Forbidden(f"Attribute '{name}' can't be removed.")
    else:
        del document[name]


def _attribute(path: Any) -> str:
    """Return the attribute that a JSON pointer names; raises ``BadRequest``."""
    if not isinstance(path, str) or not path.startswith("/") or len(path) < 2 or "/" in path[1:]:
        raise BadRequest("'path' must be a slash and the name of an attribute")
    return path[1:].replace("~1", "/").replace("~0", "~")
