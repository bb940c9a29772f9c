"""The body of a server's creation (compute contract 5.1)."""

from __future__ import annotations

import re
from typing import Any

from cyclades.api.compute.block_devices import parse_block_devices
from cyclades.api.compute.profile import Profile
from cyclades.logic.passwords import MAX_LENGTH as MAX_PASSWORD
from cyclades.logic.server_create import MAX_USER_DATA, ServerRequest
from synnefo.api import fields
from synnefo.errors import BadRequest

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MAX_PROJECT = 255
_MAX_KEYS = 100
_MAX_NETWORKS = 100


def parse_server_request(body: dict[str, Any], profile: Profile = Profile.CYCLADES) -> ServerRequest:
    """Return what ``{"server": …}`` asks for; raises ``BadRequest`` naming the field."""
    server = fields.require_object(body, "server")
    _refuse_several(server)
    return ServerRequest(
        name=fields.require_str(server, "name", min_length=1),
        image_id=_image_id(server),
        flavor_id=flavor_id(server),
        project=fields.optional_str(server, "project", max_length=_MAX_PROJECT) or None,
        shared_to_project=fields.optional_bool(server, "shared_to_project"),
        metadata=fields.optional_object(server, "metadata"),
        tags=fields.optional_list(server, "tags"),
        personality=fields.optional_list(server, "personality"),
        networks=_networks(server, profile),
        key_names=_key_names(server),
        admin_password=fields.optional_str(server, "adminPass", max_length=MAX_PASSWORD),
        block_devices=parse_block_devices(server),
        user_data=fields.optional_str(server, "user_data", max_length=MAX_USER_DATA) or "",
    )


def flavor_id(body: dict[str, Any]) -> int:
    """Return ``flavorRef``: an id or, from old clients, a URL that ends in one."""
    if "flavorRef" not in body:
        raise BadRequest("Malformed request. Missing attribute 'flavorRef'.")
    return fields.require_id(_last_segment(body["flavorRef"]), "flavor")


def _image_id(server: dict[str, Any]) -> str:
    reference = _last_segment(server.get("imageRef")) or _boot_image(server)
    if reference is None and "imageRef" not in server:
        raise BadRequest("Malformed request. Missing attribute 'imageRef'.")
    if not isinstance(reference, str) or not _UUID.fullmatch(reference):
        raise BadRequest("'imageRef' must be the uuid of an image")
    return reference.lower()


def _last_segment(reference: Any) -> Any:
    if isinstance(reference, str) and "/" in reference:
        return reference.rstrip("/").rpartition("/")[2]
    return reference


def _boot_image(server: dict[str, Any]) -> Any:
    """Return the image of the first block device, for a request without ``imageRef``."""
    devices = parse_block_devices(server)
    if devices and devices[0].source_type in ("image", "snapshot"):
        return devices[0].source_id
    return None


def _refuse_several(server: dict[str, Any]) -> None:
    """Only one server is made by one request."""
    if fields.optional_list(server, "block_device_mapping"):
        raise BadRequest("'block_device_mapping' is obsolete, use 'block_device_mapping_v2'")
    for key in ("min_count", "max_count"):
        if server.get(key) not in (None, 1, "1"):
            raise BadRequest(f"'{key}' must be 1")


def _networks(server: dict[str, Any], profile: Profile) -> list[Any] | None:
    value = server.get("networks")
    # Nova's older clients send an empty list for "let the cloud decide".
    if value is None or value == "auto" or (value == [] and profile is Profile.NOVA):
        return None
    if value == "none":
        return []
    return fields.optional_list(server, "networks", max_items=_MAX_NETWORKS)


def _key_names(server: dict[str, Any]) -> list[str]:
    single = fields.optional_str(server, "key_name")
    several = fields.optional_list(server, "SNF:key_names", max_items=_MAX_KEYS)
    if single is not None and several:
        raise BadRequest("'key_name' and 'SNF:key_names' exclude each other")
    if not all(isinstance(name, str) for name in several):
        raise BadRequest("'SNF:key_names' must be a list of strings")
    return [single] if single is not None else several
