"""Bringing a server's volumes in line with the disks that Ganeti reports (Ganeti contract 9.4.2)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Prefetch, prefetch_related_objects

from cyclades.ganeti import names
from cyclades.models import Flavor, Server, Task, Volume, VolumeStatus
from synnefo import clock
from synnefo.messages import InstanceDisk

log = logging.getLogger(__name__)

#: A volume this young may belong to a job that Ganeti has not begun.
BUILDING_TIME = timedelta(seconds=60)
#: Where a server keeps what was loaded for it with its batch.
_VOLUMES = "loaded_volumes"
_MAKING_TASKS = (Task.BUILD, Task.ATTACH_VOLUME)


@dataclass(frozen=True)
class Change:
    """A volume that changed and what that adds to its project's disk usage, in bytes."""

    volume_id: int
    project: str
    delta_bytes: int


def synchronise(server: Server, disks: Sequence[InstanceDisk]) -> list[Change]:
    """Make the volumes of the locked *server* what Ganeti has; return what that changed."""
    volumes = _volumes_of(server)
    by_name = {names.disk_name(v.pk, v.legacy_backend_volume_uuid): v for v in volumes}
    changes: list[Change] = []
    seen: set[int] = set()
    unnamed = False
    for index, disk in enumerate(disks):
        volume = by_name.get(disk.name or "")
        if volume is None:
            unnamed = unnamed or not disk.name
            log.warning("server %d: disk %s of Ganeti is no volume of ours", server.pk, disk.name or index)
            continue
        seen.add(volume.pk)
        changes += _update(volume, disk, index)
    for volume in volumes:
        if volume.pk not in seen:
            changes += _missing(server, volume, unnamed=unnamed)
    return changes


def volumes_prefetch() -> Prefetch:
    """Return how to load, for many servers at once, the volumes with all that ``synchronise`` looks at."""
    volumes = Volume.objects.filter(deleted=False).select_related("volume_type")
    return Prefetch("volumes", volumes, to_attr=_VOLUMES)


def _volumes_of(server: Server) -> list[Volume]:
    """Return the server's volumes, as loaded with its batch if they were."""
    if _VOLUMES not in vars(server):
        prefetch_related_objects([server], volumes_prefetch())
    volumes: list[Volume] = getattr(server, _VOLUMES)
    return [volume for volume in volumes if not volume.deleted and volume.machine_id]


def size_gib(disk: InstanceDisk) -> int | None:
    """Return a disk's size in GiB as volumes count it."""
    return None if disk.size is None else disk.size >> 10


def _update(volume: Volume, disk: InstanceDisk, index: int) -> list[Change]:
    size = size_gib(disk)
    size = volume.size if size is None else size
    if (volume.status, volume.index, volume.size) == (VolumeStatus.IN_USE, index, size):
        return []
    was_creating = volume.status == VolumeStatus.CREATING
    delta = size << 30 if was_creating else (size - volume.size) << 30
    volume.status, volume.index, volume.size = VolumeStatus.IN_USE, index, size
    volume.save(update_fields=["status", "index", "size", "updated"])
    return [Change(volume.pk, volume.project, delta)] if delta else []


def _missing(server: Server, volume: Volume, *, unnamed: bool) -> list[Change]:
    leaving = (VolumeStatus.DELETING, VolumeStatus.DETACHING)
    # A disk without a name may be this very volume.
    if volume.status == VolumeStatus.AVAILABLE or (unnamed and volume.status not in leaving):
        return []
    if volume.status == VolumeStatus.CREATING and _may_come(server, volume):
        return []
    detachable = volume.volume_type.disk_template in settings.CYCLADES_DETACHABLE_DISK_TEMPLATES
    if volume.status == VolumeStatus.DETACHING and detachable:
        volume.status, volume.machine, volume.index = VolumeStatus.AVAILABLE, None, None
        volume.save(update_fields=["status", "machine", "index", "updated"])
        return []
    # What was never charged (it was still to be created) is not given back.
    delta = 0 if volume.status == VolumeStatus.CREATING else -(volume.size << 30)
    volume.status, volume.deleted, volume.machine = VolumeStatus.DELETED, True, None
    volume.save(update_fields=["status", "deleted", "machine", "updated"])
    return [Change(volume.pk, volume.project, delta)] if delta else []


def _may_come(server: Server, volume: Volume) -> bool:
    return volume.created > clock.now() - BUILDING_TIME or server.task in _MAKING_TASKS


def flavor_of_root(server: Server, disks: Sequence[InstanceDisk]) -> Flavor | None:
    """Return the flavor that fits the system disk's size, when that is not the server's own."""
    size = size_gib(disks[0]) if disks else None
    if size is None or size == server.flavor.disk:
        return None
    current = server.flavor
    return (
        Flavor.objects.filter(
            volume_type_id=current.volume_type_id, cpu=current.cpu, ram=current.ram, disk=size
        )
        .order_by("deleted")
        .first()
    )
