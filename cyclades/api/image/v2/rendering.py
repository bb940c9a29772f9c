"""Images as Glance v2 writes them: flat, properties beside the fields (image contract 11)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cyclades.logic import images, queued_images
from cyclades.logic.images import Image

#: Our name of a disk format -> that of clients, which know standard ones only.
DISK_FORMATS = {"diskdump": "raw"}
_STATUSES = {
    images.AVAILABLE: "active",
    images.UNAVAILABLE: "saving",
    images.ERROR: "killed",
    images.DELETED: "deleted",
}
#: What we tell of an image beside Glance's own fields begins with this; clients can't set it.
OWN_PREFIX = "snf_"


def moment_text(moment: dt.datetime) -> str:
    """Return a moment as this dialect writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def visibility_of(image: Image) -> str:
    """Return who sees the image, in Glance's words."""
    if image.is_public:
        return "public"
    return "shared" if image.users else "private"


def status_of(image: Image) -> str:
    """Return the image's state in Glance's words."""
    return _STATUSES.get(image.status, "queued")


def disk_format_of(image: Image) -> str | None:
    """Return the disk format in clients' words."""
    return DISK_FORMATS.get(image.disk_format or "", image.disk_format)


def render(image: Image) -> dict[str, Any]:
    """Return the image's document; Glance's own fields win over properties of the same name."""
    path = f"/v2/images/{image.id}"
    has_data = image.status not in (queued_images.QUEUED,) and bool(image.location)
    return {
        **image.properties,
        **(_own_fields(image) if has_data else {}),
        "id": image.id,
        "name": image.name,
        "status": status_of(image),
        "visibility": visibility_of(image),
        "protected": image.is_protected,
        "os_hidden": image.is_hidden,
        "owner": image.owner,
        "disk_format": disk_format_of(image),
        "container_format": image.container_format,
        "size": image.size if has_data else None,
        "virtual_size": None,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "checksum": image.md5 or None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "created_at": moment_text(image.created_at),
        "updated_at": moment_text(image.updated_at),
        "tags": image.tags,
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }


def _own_fields(image: Image) -> dict[str, str]:
    return {
        f"{OWN_PREFIX}disk_format": image.disk_format or "",
        f"{OWN_PREFIX}is_snapshot": str(image.is_snapshot),
        f"{OWN_PREFIX}location": image.location,
    }


def render_member(image: Image, member: str, status: str = "accepted") -> dict[str, Any]:
    """Return one of an image's members; nobody has to accept anything."""
    return {
        "member_id": member,
        "image_id": image.id,
        "status": status,
        "created_at": moment_text(image.created_at),
        "updated_at": moment_text(image.updated_at),
        "schema": "/v2/schemas/member",
    }
