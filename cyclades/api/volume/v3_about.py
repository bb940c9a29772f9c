"""Limits, quota and what Cinder's dialect says about itself (volume contract 15)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.volume.v3_rendering import ZONE
from cyclades.logic import volume_quota
from synnefo.api import json_response
from synnefo.errors import NotFound

#: Cinder's resources that there are none of.
NOT_OFFERED = ("attachments", "backups", "groups", "os-volume-transfer", "qos-specs")


def refuse(request: HttpRequest) -> HttpResponse:
    """Answer that there is no such thing."""
    raise NotFound("The resource could not be found.")


def show_limits(request: HttpRequest) -> HttpResponse:
    """Answer with the limits of the user's own project, in GiB."""
    usage = volume_quota.disk_usage(acting(request), project=None)
    absolute = {
        "maxTotalVolumeGigabytes": usage.limit,
        "totalGigabytesUsed": usage.used,
        "maxTotalVolumes": -1,
        "totalVolumesUsed": usage.volumes,
        "maxTotalSnapshots": -1,
        "totalSnapshotsUsed": usage.snapshots,
        "maxTotalBackups": 0,
        "totalBackupsUsed": 0,
        "maxTotalBackupGigabytes": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return json_response({"limits": {"rate": [], "absolute": absolute}})


def show_quota(request: HttpRequest, project: str) -> HttpResponse:
    """Answer with what the user has in a project, with ``usage`` also how much of it is used."""
    usage = volume_quota.disk_usage(acting(request), project=project)
    limits: dict[str, Any] = {
        "gigabytes": (usage.limit, usage.used),
        "volumes": (-1, usage.volumes),
        "snapshots": (-1, usage.snapshots),
        "per_volume_gigabytes": (usage.largest, 0),
        "backups": (0, 0),
        "backup_gigabytes": (0, 0),
        "groups": (0, 0),
    }
    if request.GET.get("usage", "").lower() == "true":
        shown = {
            name: {"limit": limit, "in_use": used, "reserved": 0} for name, (limit, used) in limits.items()
        }
    else:
        shown = {name: limit for name, (limit, _) in limits.items()}
    return json_response({"quota_set": {"id": project, **shown}})


def list_extensions(request: HttpRequest) -> HttpResponse:
    """Answer with no extensions."""
    return json_response({"extensions": []})


def list_zones(request: HttpRequest) -> HttpResponse:
    """Answer with the one zone there is."""
    return json_response({"availabilityZoneInfo": [{"zoneName": ZONE, "zoneState": {"available": True}}]})
