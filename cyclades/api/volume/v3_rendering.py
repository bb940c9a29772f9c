"""Volumes and types as JSON of Cinder's dialect (volume contract 15)."""

from __future__ import annotations

from typing import Any

from cyclades.api.volume.dialect import resource_links
from cyclades.api.volume.rendering import metadata_of, source_id
from cyclades.logic.volume_types import is_detachable
from cyclades.models import Volume, VolumeType
from synnefo import clock

ZONE = "nova"


def status_word(volume: Volume) -> str:
    """Return the status with Cinder's hyphens."""
    return volume.status.lower().replace("_", "-")


def device_path(index: int | None) -> str:
    """Return what Linux guests call the disk with *index*; no disk has a second letter here."""
    return f"/dev/vd{chr(ord('a') + index)}" if index is not None and 0 <= index < 26 else ""


def render_brief(volume: Volume) -> dict[str, Any]:
    """Return the short form of lists."""
    return {
        "id": str(volume.pk),
        "name": volume.name or "",
        "links": resource_links("v3", f"volumes/{volume.pk}"),
    }


def render_detail(volume: Volume) -> dict[str, Any]:
    """Return all fields of a volume."""
    image_id = source_id(volume, "image")
    document = {
        **render_brief(volume),
        "description": volume.description or "",
        "status": status_word(volume),
        "size": volume.size,
        "created_at": clock.isoformat(volume.created),
        "updated_at": clock.isoformat(volume.updated),
        "metadata": metadata_of(volume),
        "snapshot_id": source_id(volume, "snapshot"),
        "source_volid": source_id(volume, "volume"),
        "attachments": _attachments(volume),
        "volume_type": volume.volume_type.name,
        "bootable": "true" if volume.index == 0 or image_id else "false",
        "encrypted": False,
        "multiattach": False,
        "availability_zone": ZONE,
        "user_id": volume.userid,
        "os-vol-tenant-attr:tenant_id": volume.project,
        "replication_status": None,
        "consistencygroup_id": None,
        "migration_status": None,
        "shared_to_project": volume.shared_to_project,
        "delete_on_termination": volume.delete_on_termination,
    }
    if image_id:
        document["volume_image_metadata"] = {"image_id": image_id}
    return document


def _attachments(volume: Volume) -> list[dict[str, Any]]:
    if volume.machine_id is None:
        return []
    return [
        {
            "id": str(volume.pk),
            "attachment_id": str(volume.pk),
            "volume_id": str(volume.pk),
            "server_id": str(volume.machine_id),
            "device": device_path(volume.index),
            "host_name": None,
            "attached_at": clock.isoformat(volume.updated),
        }
    ]


def render_type(volume_type: VolumeType) -> dict[str, Any]:
    """Return a volume type with its parameters."""
    return {
        "id": str(volume_type.pk),
        "name": volume_type.name,
        "description": None,
        "is_public": True,
        "os-volume-type-access:is_public": True,
        "qos_specs_id": None,
        "extra_specs": render_specs(volume_type),
    }


def render_specs(volume_type: VolumeType) -> dict[str, str]:
    """Return the type's parameters, ours among them."""
    return {
        **{spec.key: spec.value for spec in volume_type.specs.all()},
        "SNF:disk_template": volume_type.disk_template,
        "SNF:detachable": str(is_detachable(volume_type)).lower(),
    }
