"""Bringing a server's volumes in line with the disks that Ganeti reports (Ganeti contract 9.4.2).

A volume moves by what Ganeti has, not by how a job ended: a job may fail after it did its work. Only while
the server's own job is under way does a volume keep the status that the request gave it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Prefetch, prefetch_related_objects

from cyclades.ganeti import jobs, names, requests
from cyclades.models import Flavor, Server, ServerState, Task, Volume, VolumeStatus
from synnefo import clock
from synnefo.messages import InstanceDisk

log = logging.getLogger(__name__)

#: A volume this young may belong to a job that Ganeti has not begun.
BUILDING_TIME = timedelta(seconds=60)
#: Where a server keeps what was loaded for it with its batch.
_VOLUMES = "loaded_volumes"
_MAKING_TASKS = (Task.BUILD, Task.ATTACH_VOLUME)
_TAKING_TASKS = (Task.DETACH_VOLUME, Task.DELETE_VOLUME)
_LEAVING = (VolumeStatus.DELETING, VolumeStatus.DETACHING)


#: An operation that is no task: it leaves no trace on the server.
ADOPTION = "NAME_DISK"


@dataclass(frozen=True)
class Change:
    """A volume that changed and what that adds to the disk usage of its owner in its project, in bytes."""

    volume_id: int
    owner: str
    project: str
    delta_bytes: int


@dataclass(frozen=True)
class _Event:
    """What is known of the job whose end brought the disks; ``pending`` is the task still under way.

    ``paid``: the server is still being made, and its order has paid for the volumes that are made with it.
    """

    job_id: int
    ended: str
    pending: str
    paid: bool


def synchronise(
    server: Server, disks: Sequence[InstanceDisk], *, job_id: int = 0, ended: str = ""
) -> list[Change]:
    """Make the volumes of the locked *server* what Ganeti has; return what that changed.

    *job_id* is the job that the report follows, and *ended* the server's task if it was that job's.
    """
    event = _Event(job_id, ended, "" if ended else server.task, server.operstate == ServerState.BUILD)
    volumes = _volumes_of(server)
    by_name = {names.disk_name(v.pk, v.legacy_backend_volume_uuid): v for v in volumes}
    changes: list[Change] = []
    seen: set[int] = set()
    unnamed: list[tuple[int, InstanceDisk]] = []
    for index, disk in enumerate(disks):
        volume = by_name.get(disk.name or "")
        if volume is not None:
            seen.add(volume.pk)
            changes += _update(volume, disk, index, event)
        elif disk.name:
            log.error("server %d: its disk %s is no volume of this server", server.pk, disk.name)
        else:
            unnamed.append((index, disk))
    missing = [volume for volume in volumes if volume.pk not in seen]
    for volume in missing:
        changes += _missing(server, volume, event, unnamed=bool(unnamed))
    if unnamed and not missing:
        for index, disk in unnamed:
            _adopt(server, disk, index)
    elif unnamed:
        log.warning("server %d: %d disks have no name, nothing is adopted", server.pk, len(unnamed))
    return changes


def settle_unreported(server: Server, task: str) -> None:
    """Put back the volumes of the locked *server* whose job ended without a word about the disks.

    Such a job was canceled before it began or is unknown to Ganeti; *task* is what it was to do.
    """
    for volume in _volumes_of(server):
        if task == Task.ATTACH_VOLUME and volume.status == VolumeStatus.ATTACHING:
            _free(volume)
        elif task == Task.ATTACH_VOLUME and volume.status == VolumeStatus.CREATING:
            _forget(volume)
        elif task in _TAKING_TASKS and volume.status in _LEAVING:
            volume.status = VolumeStatus.IN_USE
            volume.save(update_fields=["status", "updated"])


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


def _update(volume: Volume, disk: InstanceDisk, index: int, event: _Event) -> list[Change]:
    size = size_gib(disk)
    size = volume.size if size is None else size
    status = VolumeStatus.IN_USE
    if event.pending in _TAKING_TASKS and volume.status in _LEAVING:
        status = VolumeStatus(volume.status)
    same = (volume.status, volume.index, volume.size) == (status, index, size)
    if same and volume.backendjobid is not None:
        return []
    unpaid = volume.status == VolumeStatus.CREATING and not event.paid
    delta = size << 30 if unpaid else (size - volume.size) << 30
    volume.status, volume.index, volume.size = status, index, size
    if volume.backendjobid is None:
        # From now on there are data, which the next server is to find.
        volume.backendjobid = event.job_id
    volume.save(update_fields=["status", "index", "size", "backendjobid", "updated"])
    return [Change(volume.pk, volume.userid, volume.project, delta)] if delta else []


def _missing(server: Server, volume: Volume, event: _Event, *, unnamed: bool) -> list[Change]:
    # A disk without a name may be this very volume.
    if volume.status == VolumeStatus.AVAILABLE or (unnamed and volume.status not in _LEAVING):
        return []
    if volume.status == VolumeStatus.CREATING:
        if not _may_come(volume, event):
            _forget(volume)
        return []
    if volume.status == VolumeStatus.ATTACHING:
        if event.pending not in _MAKING_TASKS:
            _free(volume)
        return []
    if volume.status == VolumeStatus.DETACHING:
        _free(volume)
        return []
    _forget(volume)
    return [Change(volume.pk, volume.userid, volume.project, -(volume.size << 30))]


def _may_come(volume: Volume, event: _Event) -> bool:
    """Tell whether a volume that Ganeti does not have yet is still being made."""
    if event.ended in _MAKING_TASKS:
        return False
    return event.pending in _MAKING_TASKS or volume.created > clock.now() - BUILDING_TIME


def _free(volume: Volume) -> None:
    """Let *volume* be attached again; its data, if it has any, are where they were."""
    volume.status, volume.machine, volume.index = VolumeStatus.AVAILABLE, None, None
    volume.save(update_fields=["status", "machine", "index", "updated"])


def _forget(volume: Volume) -> None:
    volume.status, volume.deleted, volume.machine = VolumeStatus.DELETED, True, None
    volume.save(update_fields=["status", "deleted", "machine", "updated"])


def _adopt(server: Server, disk: InstanceDisk, index: int) -> None:
    """Make a volume of a disk that was added in Ganeti itself; its next report charges its owner."""
    volume = Volume.objects.create(
        userid=server.userid,
        project=server.project,
        shared_to_project=server.shared_to_project,
        size=size_gib(disk) or 1,
        volume_type=server.flavor.volume_type,
        status=VolumeStatus.CREATING,
        machine=server,
        index=index,
        backend=server.backend,
    )
    getattr(server, _VOLUMES).append(volume)
    if disk.uuid and server.backend is not None:
        jobs.intend(server=server, operation=ADOPTION, payload=requests.name_disk_payload(volume, disk.uuid))
    log.warning("server %d: its disk %d was made in Ganeti and is volume %d now", server.pk, index, volume.pk)


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
