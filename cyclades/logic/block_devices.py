"""The disks that a new server begins with (compute contract 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from cyclades.logic import images, volume_jobs, volume_sources
from cyclades.logic.visibility import visible_volumes
from cyclades.logic.volume_create import new_volume
from cyclades.logic.volumes import refuse_outliving, require_detachable
from cyclades.models import Flavor, Server, Volume, VolumeStatus
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest

IMAGE, SNAPSHOT, VOLUME, BLANK = "image", "snapshot", "volume", "blank"
SOURCE_TYPES = (IMAGE, SNAPSHOT, VOLUME, BLANK)


@dataclass(frozen=True)
class BlockDevice:
    """A wanted disk; ``size`` in GiB, ``source_id`` of an image, snapshot or volume.

    ``delete_on_termination`` ``None`` is the default of the source; ``local`` is what Nova calls a disk that
    comes with the flavor and is as large as that says.
    """

    source_type: str
    source_id: str = ""
    size: int | None = None
    delete_on_termination: bool | None = None
    local: bool = False


@dataclass(frozen=True)
class PlannedDisk:
    """A disk whose source was found and checked: a volume that exists, or a new one's size and source."""

    volume_id: int | None = None
    size: int = 0
    source: volume_sources.Source | None = None
    delete_on_termination: bool = True


def plan(
    credentials: Credentials, *, devices: Sequence[BlockDevice], flavor: Flavor, image: images.Image
) -> list[PlannedDisk]:
    """Return the disks of a new server of *flavor*, the system disk first.

    Without *devices* that is one of the flavor's size made from *image*. Raises ``BadRequest``, and
    ``NotImplementedFault`` for disks that shall outlive the server.
    """
    if not devices:
        kind = SNAPSHOT if image.is_snapshot else IMAGE
        source = volume_sources.Source(kind, image)
        _check_needs(image, flavor, disk=flavor.disk)
        return [PlannedDisk(size=flavor.disk, source=source)]
    limit = settings.GANETI_MAX_DISKS_PER_INSTANCE
    if len(devices) > limit:
        raise BadRequest(f"A server has at most {limit} volumes, not {len(devices)}")
    if devices[0].source_type == BLANK:
        raise BadRequest("The first block device is the system disk, which can't be blank")
    disks = [
        _plan_one(credentials, device, flavor, is_root=index == 0) for index, device in enumerate(devices)
    ]
    root = disks[0].source
    if root is not None and root.image.id != image.id:
        raise BadRequest("'imageRef' and the first block device name different images")
    existing = [disk.volume_id for disk in disks if disk.volume_id is not None]
    if len(set(existing)) != len(existing):
        raise BadRequest("A volume can be only one of the block devices")
    _check_needs(image, flavor, disk=disks[0].size)
    return disks


def _check_needs(image: images.Image, flavor: Flavor, *, disk: int) -> None:
    """Raise ``BadRequest`` unless the server has what the image asks for; *disk* is the root's, in GiB."""
    volume_sources.check_min_disk(image, disk)
    if image.min_ram > flavor.ram:
        raise BadRequest(
            f"Image {image.id} needs {image.min_ram} MiB of memory, flavor {flavor.name} has {flavor.ram}"
        )


def _plan_one(credentials: Credentials, device: BlockDevice, flavor: Flavor, *, is_root: bool) -> PlannedDisk:
    if device.source_type == VOLUME:
        volume = _seen(credentials, device.source_id)
        _check_existing(volume, flavor)
        return PlannedDisk(
            volume_id=volume.pk, delete_on_termination=bool(device.delete_on_termination), size=volume.size
        )
    if device.delete_on_termination is False:
        refuse_outliving(flavor.volume_type.template)
    wanted = flavor.disk if device.size is None and device.local and is_root else device.size
    if wanted is None:
        raise BadRequest("A block device that is no volume needs 'volume_size'")
    size = volume_sources.check_size(wanted)
    if device.source_type == BLANK:
        return PlannedDisk(size=size)
    if device.source_type == SNAPSHOT and not volume_sources.snapshots_enabled(credentials):
        raise BadRequest("Snapshots are not enabled")
    if not is_root:
        volume_sources.require_cloning(flavor.volume_type)
    source = volume_sources.find(credentials, kind=device.source_type, source_id=device.source_id, size=size)
    return PlannedDisk(size=size, source=source)


def _seen(credentials: Credentials, volume_id: str) -> Volume:
    number = int(volume_id) if volume_id.isascii() and volume_id.isdigit() and len(volume_id) < 19 else 0
    rows = visible_volumes(credentials).filter(deleted=False).select_related("volume_type")
    volume = rows.filter(pk=number).first()
    if volume is None:
        raise BadRequest(f"Volume {volume_id[:40]} not found")
    return volume


def _check_existing(volume: Volume, flavor: Flavor) -> None:
    if volume.status != VolumeStatus.AVAILABLE:
        raise BadRequest(f"Volume {volume.pk} can't be attached: its status is {volume.status}")
    if volume.volume_type_id != flavor.volume_type_id:
        raise BadRequest(f"Volume {volume.pk} is of another type than flavor {flavor.name}")
    require_detachable(volume)


def take(credentials: Credentials, *, server: Server, disks: Sequence[PlannedDisk]) -> list[Volume]:
    """Return the volumes of the new *server* in the caller's transaction; new ones are not saved yet.

    Volumes that exist are locked, in the order of their ids, and become the server's.
    """
    ids = sorted(disk.volume_id for disk in disks if disk.volume_id is not None)
    rows = visible_volumes(credentials).filter(pk__in=ids, deleted=False).select_related("volume_type")
    locked = {volume.pk: volume for volume in locks.lock_rows(rows)} if ids else {}
    volumes = []
    for index, disk in enumerate(disks):
        if disk.volume_id is None:
            volume = new_volume(
                userid=server.userid,
                project=server.project,
                volume_type=server.flavor.volume_type,
                size=disk.size,
                source=disk.source,
            )
            volume.shared_to_project = server.shared_to_project
        else:
            found = locked.get(disk.volume_id)
            if found is None:
                raise BadRequest(f"Volume {disk.volume_id} not found")
            volume = found
            _check_existing(volume, server.flavor)
            volume_jobs.check_projects(server, volume)
            volume.status = VolumeStatus.ATTACHING
        volume.delete_on_termination = disk.delete_on_termination
        volume.machine, volume.index, volume.backend = server, index, server.backend
        volumes.append(volume)
    return volumes
