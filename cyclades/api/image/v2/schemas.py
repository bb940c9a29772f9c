"""Schemas of what Glance v2's clients read and write (image contract 11)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.image.v2.documents import READ_ONLY
from synnefo.api import json_response
from synnefo.errors import NotFound

_TEXT, _NUMBER, _TRUTH = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_MAYBE_TEXT, _MAYBE_NUMBER = {"type": ["null", "string"]}, {"type": ["null", "integer"]}

_IMAGE_FIELDS: dict[str, dict[str, Any]] = {
    "id": _TEXT,
    "name": _MAYBE_TEXT,
    "status": {"type": "string", "enum": ["queued", "saving", "active", "killed", "deleted"]},
    "visibility": {"type": "string", "enum": ["public", "private", "shared"]},
    "protected": _TRUTH,
    "os_hidden": _TRUTH,
    "owner": _MAYBE_TEXT,
    "disk_format": {"type": ["null", "string"], "enum": [None, "raw", "diskdump", "extdump", "ntfsdump"]},
    "container_format": {"type": ["null", "string"], "enum": [None, "aki", "ari", "ami", "bare", "ovf"]},
    "size": _MAYBE_NUMBER,
    "virtual_size": _MAYBE_NUMBER,
    "min_disk": _NUMBER,
    "min_ram": _NUMBER,
    "checksum": _MAYBE_TEXT,
    "os_hash_algo": _MAYBE_TEXT,
    "os_hash_value": _MAYBE_TEXT,
    "created_at": _TEXT,
    "updated_at": _TEXT,
    "tags": {"type": "array", "items": _TEXT},
    "self": _TEXT,
    "file": _TEXT,
    "schema": _TEXT,
}
_MEMBER_FIELDS = dict.fromkeys(
    ("member_id", "image_id", "status", "created_at", "updated_at", "schema"), _TEXT
)


def _object(name: str, fields: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    described = {
        key: value | {"readOnly": True} if key in READ_ONLY else value for key, value in fields.items()
    }
    return {"name": name, "properties": described, **more}


def _collection(name: str, item: dict[str, Any]) -> dict[str, Any]:
    fields = {name: {"type": "array", "items": item}, "first": _TEXT, "next": _TEXT, "schema": _TEXT}
    links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}]
    return {"name": name, "properties": fields, "links": links}


_IMAGE = _object("image", _IMAGE_FIELDS, additionalProperties={"type": "string"})
_MEMBER = _object("member", _MEMBER_FIELDS)
SCHEMAS = {
    "image": _IMAGE,
    "images": _collection("images", _IMAGE),
    "member": _MEMBER,
    "members": _collection("members", _MEMBER),
}


def show(request: HttpRequest, name: str) -> HttpResponse:
    """Show a schema."""
    if name not in SCHEMAS:
        raise NotFound(f"There is no schema '{name[:64]}'.")
    return json_response(SCHEMAS[name])
