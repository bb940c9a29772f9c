"""The frame of every change of a volume that ends with a job of its server (volume contract 4, 6 and 8).

Locks go server, then volume, then the holdings of the volume's owner, who pays whoever owns the server.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from cyclades.ganeti import jobs
from cyclades.logic import quota
from cyclades.logic.server_change import require_backend
from cyclades.logic.server_state import require_allowed
from cyclades.models import JobIntent, Server, Task, Volume
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Conflict, NotFound, NotImplementedFault

_ACTIONS = {
    Task.ATTACH_VOLUME: "volume.attach",
    Task.DETACH_VOLUME: "volume.detach",
    Task.DELETE_VOLUME: "volume.delete",
    Task.GROW_VOLUME: "volume.extend",
}


def lock_machine(volume: Volume) -> Server:
    """Lock and return the server that the seen *volume* is on, whoever owns it."""
    rows = Server.objects.select_related("flavor__volume_type", "backend").filter(pk=volume.machine_id or 0)
    try:
        return locks.lock_one(rows)
    except Server.DoesNotExist as error:
        raise NotFound("Server not found.") from error


def require_still_on(volume: Volume, machine_id: int | None) -> None:
    """Raise ``Conflict`` when another request moved the locked *volume* before its lock was had."""
    if volume.machine_id != machine_id:
        raise Conflict(f"Volume {volume.pk} was changed by another request. Try again.")


def next_index(server: Server) -> int:
    """Return the index of the next disk of the locked *server*; raises ``BadRequest`` when it is full."""
    indexes = list(server.volumes.filter(deleted=False).values_list("index", flat=True))
    limit = settings.GANETI_MAX_DISKS_PER_INSTANCE
    if len(indexes) >= limit:
        raise BadRequest(f"Server {server.pk} has {limit} volumes already, which is the maximum")
    return max((index for index in indexes if index is not None), default=-1) + 1


def check_template(server: Server, volume: Volume) -> None:
    """Raise ``BadRequest`` unless the disks of *server* are of the same Ganeti template as *volume*."""
    wanted, given = server.flavor.volume_type.template, volume.volume_type.template
    if wanted != given:
        raise BadRequest(f"Server {server.pk} has {wanted} disks, a volume of type {given} can't join them")


def check_projects(server: Server, volume: Volume) -> None:
    """Raise ``BadRequest`` where others than the members of one project would reach *server* or *volume*."""
    if (server.shared_to_project or volume.shared_to_project) and server.project != volume.project:
        raise BadRequest(
            f"Volume {volume.pk} and server {server.pk} must be in the same project, because one is shared"
        )


def require_detach_method(volume: Volume) -> None:
    """Raise ``NotImplementedFault`` unless its storage can take *volume* off a server without its loss."""
    provider = volume.volume_type.provider
    if provider not in settings.GANETI_DETACH_METHODS:
        raise NotImplementedFault(f"The storage {provider} can't detach volumes: see GANETI_DETACH_METHODS")


def begin(
    credentials: Credentials,
    *,
    server: Server,
    volume: Volume,
    task: Task,
    payload: dict[str, Any],
    deltas: quota.Deltas | None = None,
) -> JobIntent:
    """Promise the job that does *task* with *volume*, both rows locked, in the caller's transaction.

    *deltas* are charged to the volume's owner when the job succeeds. Raises by the permission matrix,
    ``OverLimit``, and ``ServiceUnavailable`` for a backend that is offline.
    """
    require_allowed(credentials, server, task)
    require_backend(server)
    quota.reject(server)
    server.serial = quota.issue_for(
        volume.userid,
        deltas or {},
        name=f"client: api, resource: volume {volume.pk}, action: {task}",
        force=credentials.force_quota,
    )
    server.save(update_fields=["serial", "updated"])
    volume.backend = server.backend
    volume.save()
    intent = jobs.intend(server=server, operation=task, payload=payload)
    audit.record(credentials, _ACTIONS[task], f"volume:{volume.pk}", server=server.pk)
    return intent


def disk_deltas(volume: Volume, sign: int) -> quota.Deltas:
    """Return what *volume* costs its project, or with *sign* -1 gives back."""
    return {volume.project: {quota.DISK: sign * quota.disk_bytes(volume)}}
