"""Volumes and types as JSON of the v2 dialect (volume contract 3 and 10)."""

from __future__ import annotations

from typing import Any

from cyclades.api.volume.dialect import resource_links
from cyclades.logic.volume_types import is_detachable
from cyclades.models import Volume, VolumeType
from synnefo import clock


def source_id(volume: Volume, kind: str) -> str | None:
    """Return the id of what the volume was made from, if that is a *kind*."""
    found, _, value = (volume.source or "").partition(":")
    return value if found == kind else None


def metadata_of(volume: Volume) -> dict[str, str]:
    """Return the volume's items by key."""
    return {item.key: item.value for item in sorted(volume.metadata.all(), key=lambda item: item.key)}


def render_brief(volume: Volume) -> dict[str, Any]:
    """Return the short form of lists and creations."""
    return {
        "id": str(volume.pk),
        "display_name": volume.name,
        "links": resource_links("v2.0", f"volumes/{volume.pk}"),
    }


def render_detail(volume: Volume) -> dict[str, Any]:
    """Return all fields of a volume."""
    return {
        **render_brief(volume),
        "display_description": volume.description,
        "status": volume.status.lower(),
        "size": volume.size,
        "created_at": clock.isoformat(volume.created),
        "updated_at": clock.isoformat(volume.updated),
        "metadata": metadata_of(volume),
        "snapshot_id": source_id(volume, "snapshot"),
        "source_volid": source_id(volume, "volume"),
        "image_id": source_id(volume, "image"),
        "attachments": _attachments(volume),
        "volume_type": volume.volume_type_id,
        "deleted": volume.deleted,
        "delete_on_termination": volume.delete_on_termination,
        "user_id": volume.userid,
        "tenant_id": volume.project,
        "shared_to_project": volume.shared_to_project,
    }


def _attachments(volume: Volume) -> list[dict[str, Any]]:
    if volume.machine_id is None:
        return []
    return [{"server_id": volume.machine_id, "volume_id": volume.pk, "device_index": volume.index}]


def render_type(volume_type: VolumeType) -> dict[str, Any]:
    """Return a volume type."""
    return {
        "id": volume_type.pk,
        "name": volume_type.name,
        "deleted": volume_type.deleted,
        "SNF:disk_template": volume_type.disk_template,
        "SNF:detachable": is_detachable(volume_type),
    }
