"""What clients write about volumes, in the words of both dialects (volume contract 4 and 15)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from cyclades.logic.volume_create import VolumeRequest
from cyclades.logic.volume_sources import IMAGE, SNAPSHOT
from cyclades.logic.volumes import VolumeChange
from synnefo.api import fields, read_object
from synnefo.errors import BadRequest

_SOURCES = {"snapshot_id": SNAPSHOT, "imageRef": IMAGE}
_MAX_ID = 64
_MAX_PROJECT = 255


def read_volume(request: HttpRequest) -> dict[str, Any]:
    """Return the object ``volume`` of the request's body without its nulls; raises ``BadRequest``."""
    volume = fields.require_object(read_object(request), "volume")
    return {key: value for key, value in volume.items() if value is not None}


def _either(body: dict[str, Any], *names: str) -> str | None:
    """Return the name that the body has, of several that mean the same."""
    return next((name for name in names if name in body), None)


def parse_request(body: dict[str, Any], *, name_required: bool) -> VolumeRequest:
    """Return what ``{"volume": …}`` asks for; raises ``BadRequest`` naming the field."""
    name = _either(body, "display_name", "name")
    if name is None and name_required:
        raise BadRequest("Malformed request. Missing attribute 'display_name'.")
    description = _either(body, "display_description", "description")
    server_id = body.get("server_id")
    project = fields.optional_str(body, "project", max_length=_MAX_PROJECT)
    return VolumeRequest(
        name="" if name is None else fields.require_str(body, name),
        description="" if description is None else fields.require_str(body, description),
        size=_size(body),
        volume_type_id=_volume_type(body),
        server_id=None if server_id is None else _server(server_id),
        source=_source(body),
        metadata=fields.optional_object(body, "metadata"),
        project=project or None,
        shared_to_project=fields.optional_bool(body, "shared_to_project"),
    )


def _size(body: dict[str, Any]) -> int:
    if "size" not in body:
        raise BadRequest("Malformed request. Missing attribute 'size'.")
    value = body["size"]
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31:
        return value
    raise BadRequest(f"Volume 'size' needs to be a positive integer, not '{str(value)[:40]}'")


def _volume_type(body: dict[str, Any]) -> int | None:
    return fields.require_id(body["volume_type"], "volume type") if "volume_type" in body else None


def _server(value: Any) -> int:
    return fields.require_id(value, "server")


def _source(body: dict[str, Any]) -> tuple[str, str] | None:
    named = [name for name in (*_SOURCES, "source_volid") if name in body]
    if len(named) > 1:
        raise BadRequest(f"{' and '.join(named)} exclude each other")
    if not named:
        return None
    if named[0] == "source_volid":
        raise BadRequest("Volumes can't be made from other volumes: 'source_volid' is not supported")
    return _SOURCES[named[0]], fields.require_str(body, named[0], min_length=1, max_length=_MAX_ID)


def parse_change(body: dict[str, Any]) -> VolumeChange:
    """Return what an update changes; keys that can't be changed are ignored. Raises ``BadRequest``."""
    name = _either(body, "display_name", "name")
    description = _either(body, "display_description", "description")
    flag = "delete_on_termination"
    return VolumeChange(
        name=None if name is None else fields.require_str(body, name),
        description=None if description is None else fields.require_str(body, description),
        delete_on_termination=fields.optional_bool(body, flag) if flag in body else None,
    )
