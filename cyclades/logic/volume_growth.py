"""Making a volume bigger (volume contract 15)."""

from __future__ import annotations

from cyclades.logic import quota, volume_sources
from cyclades.logic.volumes import lock_volume
from cyclades.models import Volume, VolumeStatus
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotImplementedFault


@locks.retry_on_deadlock
def extend(credentials: Credentials, *, volume_id: int, new_size: int) -> Volume:
    """Give a volume that has no data yet *new_size* GiB, which its project pays at once.

    Raises ``NotFound``, ``BadRequest`` (size, status), ``NotImplementedFault`` for a volume with data and
    ``OverLimit``.
    """
    volume_sources.check_size(new_size)
    with locks.atomic():
        volume = lock_volume(credentials, volume_id=volume_id)
        if new_size <= volume.size:
            raise BadRequest(f"'new_size' must be more than the volume's {volume.size} GiB")
        if volume.machine_id is not None or volume.backendjobid is not None:
            raise NotImplementedFault("Only a volume that was never attached can be extended")
        if volume.status != VolumeStatus.AVAILABLE:
            raise BadRequest(f"Volume {volume_id} can't be extended: its status is {volume.status}")
        quota.charge_now(
            volume.userid,
            {volume.project: {quota.DISK: (new_size - volume.size) << 30}},
            name=f"client: api, resource: volume {volume_id}, action: extend",
            force=credentials.force_quota,
        )
        volume.size = new_size
        volume.save(update_fields=["size", "updated"])
        audit.record(credentials, "volume.extend", f"volume:{volume_id}", size=new_size)
    return volume
