"""Volumes joining and leaving servers (volume contract 6, compute contract 9.3)."""

from __future__ import annotations

from cyclades.ganeti import requests
from cyclades.logic import volume_jobs
from cyclades.logic.server_change import seen_server
from cyclades.logic.servers import get_server, lock_server
from cyclades.logic.visibility import visible_volumes
from cyclades.logic.volume_create import is_running
from cyclades.logic.volumes import live_volume, lock_volume, require_detachable
from cyclades.models import JobIntent, Server, Task, Volume, VolumeStatus
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound, WrongState

#: What may be taken off a server.
SETTLED = (VolumeStatus.IN_USE, VolumeStatus.ERROR)


class NoSuchVolume(BadRequest):
    """A server's volume that is not there; dialects that have a status for that can tell."""


def list_attachments(credentials: Credentials, *, server_id: int) -> list[Volume]:
    """Return the live volumes of a visible server by id; raises ``NotFound``."""
    server = get_server(credentials, server_id=server_id)
    return list(Volume.objects.filter(machine=server, deleted=False).order_by("pk"))


def get_attachment(credentials: Credentials, *, server_id: int, volume_id: int) -> Volume:
    """Return a volume of a visible server.

    Raises ``NotFound`` for the server, ``BadRequest`` for a volume that is not on it.
    """
    server = get_server(credentials, server_id=server_id)
    return _require_on(_seen_volume(credentials, server, volume_id), server)


def _seen_volume(credentials: Credentials, server: Server, volume_id: int) -> Volume:
    """Return a volume that the user sees by itself or by the server it is on."""
    try:
        return live_volume(credentials, volume_id=volume_id)
    except NotFound as error:
        found = Volume.objects.select_related("volume_type").filter(
            pk=volume_id, machine=server, deleted=False
        )
        volume = found.first()
        if volume is None:
            raise NoSuchVolume(error.message) from error
        return volume


def _seen_on(credentials: Credentials, server_id: int, volume_id: int) -> Volume:
    """Return what ``_seen_volume`` does, and an own volume also on a server that is shared no more."""
    try:
        server = get_server(credentials, server_id=server_id)
    except NotFound:
        own = Volume.objects.select_related("volume_type").filter(userid=credentials.user_id, deleted=False)
        volume = own.filter(pk=volume_id, machine=server_id).first()
        if volume is None:
            raise
        return volume
    return _seen_volume(credentials, server, volume_id)


def _require_on(volume: Volume, server: Server) -> Volume:
    if volume.machine_id != server.pk:
        raise NoSuchVolume(f"Volume {volume.pk} is not attached to server {server.pk}")
    return volume


@locks.retry_on_deadlock
def attach(credentials: Credentials, *, server_id: int, volume_id: int) -> tuple[Volume, JobIntent]:
    """Give an available volume to a server, both of which the user sees.

    Raises ``NotFound`` for the server, ``BadRequest`` for the volume, its status, type and project and for
    a full server, and what the server's state forbids.
    """
    seen_server(credentials, server_id)
    if not visible_volumes(credentials).filter(pk=volume_id).exists():
        raise NoSuchVolume(f"Volume {volume_id} not found")
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        volume = lock_volume(credentials, volume_id=volume_id)
        check_attachable(server, volume)
        volume.index = volume_jobs.next_index(server)
        volume.status, volume.machine = VolumeStatus.ATTACHING, server
        intent = volume_jobs.begin(
            credentials,
            server=server,
            volume=volume,
            task=Task.ATTACH_VOLUME,
            payload=requests.attach_volume_payload(volume, running=is_running(server)),
        )
    return volume, intent


def check_attachable(server: Server, volume: Volume) -> None:
    """Raise ``BadRequest`` unless the locked *volume* may join the locked *server*."""
    if volume.status != VolumeStatus.AVAILABLE:
        raise WrongState(f"Volume {volume.pk} can't be attached: its status is {volume.status}")
    require_detachable(volume)
    volume_jobs.check_template(server, volume)
    volume_jobs.check_projects(server, volume)


@locks.retry_on_deadlock
def detach(credentials: Credentials, *, volume_id: int, server_id: int | None = None) -> JobIntent:
    """Take a volume off its server, which keeps running; its data stay.

    *server_id* is the server that the user names and must see, unless the volume is their own. Raises
    ``NotFound`` for the server, ``BadRequest`` for the volume, its type, status and place,
    ``NotImplementedFault`` for its storage, and what the server's state forbids.
    """
    if server_id is None:
        seen = live_volume(credentials, volume_id=volume_id)
    else:
        seen = _seen_on(credentials, server_id, volume_id)
    require_detachable(seen)
    if seen.machine_id is None or server_id not in (None, seen.machine_id):
        raise NoSuchVolume(f"Volume {volume_id} is not attached to server {server_id or ''}".rstrip())
    with locks.atomic():
        server = volume_jobs.lock_machine(seen)
        volume = locks.lock_one(Volume.objects.select_related("volume_type").filter(pk=volume_id))
        volume_jobs.require_still_on(volume, seen.machine_id)
        require_removable(volume, "detached")
        volume_jobs.require_detach_method(volume)
        volume.status = VolumeStatus.DETACHING
        return volume_jobs.begin(
            credentials,
            server=server,
            volume=volume,
            task=Task.DETACH_VOLUME,
            payload=requests.detach_volume_payload(volume),
        )


def require_removable(volume: Volume, verb: str) -> None:
    """Raise ``BadRequest`` unless the locked *volume* may leave its server."""
    if volume.status not in SETTLED:
        raise WrongState(f"Volume {volume.pk} can't be {verb}: its status is {volume.status}")
    if volume.index == 0:
        raise BadRequest(f"Volume {volume.pk} can't be {verb}: it is the system disk of its server")
