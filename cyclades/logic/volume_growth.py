"""Making a volume bigger (volume contract 15)."""

from __future__ import annotations

from cyclades.ganeti import requests
from cyclades.logic import quota, volume_jobs, volume_sources
from cyclades.logic.volumes import live_volume, lock_volume
from cyclades.models import JobIntent, Task, Volume, VolumeStatus
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotImplementedFault, WrongState


@locks.retry_on_deadlock
def extend(credentials: Credentials, *, volume_id: int, new_size: int) -> JobIntent | None:
    """Give a volume *new_size* GiB: by a job of its server when it is on one, which the intent is of.

    A volume on no server has the size at once, and its storage makes its data's place bigger when it is
    attached. Raises ``NotFound``, ``BadRequest`` (size, system disk), ``WrongState``, ``NotImplementedFault``
    for data in a storage that can't do that, ``OverLimit``, and what the server's state forbids.
    """
    volume_sources.check_size(new_size)
    seen = live_volume(credentials, volume_id=volume_id)
    with locks.atomic():
        if seen.machine_id is not None:
            return _extend_attached(credentials, seen, new_size)
        volume = lock_volume(credentials, volume_id=volume_id)
        volume_jobs.require_still_on(volume, None)
        _require_bigger(volume, new_size)
        if volume.backendjobid is not None and not requests.keeps_data(volume):
            raise NotImplementedFault("The storage can't extend a volume that has data and is on no server")
        if volume.status != VolumeStatus.AVAILABLE:
            raise WrongState(f"Volume {volume_id} can't be extended: its status is {volume.status}")
        quota.charge_now(
            volume.userid,
            _deltas(volume, new_size),
            name=f"client: api, resource: volume {volume_id}, action: extend",
            force=credentials.force_quota,
        )
        volume.size = new_size
        volume.save(update_fields=["size", "updated"])
        audit.record(credentials, "volume.extend", f"volume:{volume_id}", size=new_size)
    return None


def _extend_attached(credentials: Credentials, seen: Volume, new_size: int) -> JobIntent:
    server = volume_jobs.lock_machine(seen)
    volume = lock_volume(credentials, volume_id=seen.pk)
    volume_jobs.require_still_on(volume, seen.machine_id)
    _require_bigger(volume, new_size)
    if volume.index == 0:
        raise BadRequest(f"Volume {volume.pk} is a system disk, whose size the server's flavor says")
    if volume.status != VolumeStatus.IN_USE:
        raise WrongState(f"Volume {volume.pk} can't be extended: its status is {volume.status}")
    return volume_jobs.begin(
        credentials,
        server=server,
        volume=volume,
        task=Task.GROW_VOLUME,
        payload=requests.grow_volume_payload(volume, new_size),
        deltas=_deltas(volume, new_size),
    )


def _require_bigger(volume: Volume, new_size: int) -> None:
    if new_size <= volume.size:
        raise BadRequest(f"'new_size' must be more than the volume's {volume.size} GiB")


def _deltas(volume: Volume, new_size: int) -> quota.Deltas:
    return {volume.project: {quota.DISK: (new_size - volume.size) << 30}}
