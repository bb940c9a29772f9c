"""Images as JSON (image contract 3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cyclades.logic.images import Image


def moment_text(moment: dt.datetime) -> str:
    """Return a moment in UTC as this dialect writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def render_brief(image: Image) -> dict[str, Any]:
    """Return the short form of lists."""
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "size": image.size,
        **_formats(image),
    }


def render_detail(image: Image) -> dict[str, Any]:
    """Return all public fields of an image."""
    fields = {
        **render_brief(image),
        "checksum": image.checksum,
        "location": image.location,
        "created_at": moment_text(image.created_at),
        "updated_at": moment_text(image.updated_at),
        "deleted_at": "",
        "is_public": image.is_public,
        "is_snapshot": image.is_snapshot,
        "owner": image.owner,
        "properties": image.properties,
    }
    return fields if image.description is None else fields | {"description": image.description}


def _formats(image: Image) -> dict[str, str]:
    """Return the formats that are stored; absent ones are absent from JSON, too."""
    formats = {"disk_format": image.disk_format, "container_format": image.container_format}
    return {name: value for name, value in formats.items() if value is not None}
