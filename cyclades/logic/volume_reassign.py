"""Moving a volume to another project (volume contract 4)."""

from __future__ import annotations

from django.conf import settings

from cyclades.logic import quota, volume_jobs
from cyclades.logic.server_state import require_allowed
from cyclades.logic.volumes import live_volume, lock_volume
from cyclades.models import Task, Volume
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import Conflict, Forbidden


@locks.retry_on_deadlock
def reassign(
    credentials: Credentials, *, volume_id: int, project: str, shared_to_project: bool = False
) -> Volume:
    """Charge an own volume to *project* from now on, and share or unshare it.

    Raises ``NotFound``, ``BadRequest`` (deleted, not a member, pending task of its server), ``Forbidden``
    (not the owner, sharing switched off), ``Conflict`` for a system disk, which follows its server, and
    ``OverLimit``.
    """
    if shared_to_project and not settings.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources to the members of the project is not permitted")
    seen = live_volume(credentials, volume_id=volume_id)
    if not credentials.is_admin and seen.userid != credentials.user_id:
        raise Forbidden("Only the owner of a volume can reassign it.")
    if seen.index == 0:
        raise Conflict(f"Volume {volume_id} is the system disk of its server: reassign the server")
    with locks.atomic():
        if seen.machine_id is not None:
            server = volume_jobs.lock_machine(seen)
            require_allowed(credentials, server, Task.REASSIGN)
        volume = lock_volume(credentials, volume_id=volume_id)
        volume_jobs.require_still_on(volume, seen.machine_id)
        if volume.project != project:
            size = quota.disk_bytes(volume)
            quota.charge_now(
                volume.userid,
                {volume.project: {quota.DISK: -size}, project: {quota.DISK: size}},
                name=f"client: api, resource: volume {volume_id}, action: reassign",
                force=credentials.force_quota,
            )
        volume.project, volume.shared_to_project = project, shared_to_project
        volume.save(update_fields=["project", "shared_to_project", "updated"])
        audit.record(
            credentials, "volume.reassign", f"volume:{volume_id}", project=project, shared=shared_to_project
        )
    return volume
