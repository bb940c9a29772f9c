"""How a server ends or fails: its ports, volumes, tags, task and commission go with it.

Every function expects the server's row lock, changes the object it is given and leaves saving to the
caller, so that one event is one UPDATE.
"""

from __future__ import annotations

from functools import partial

from django.db import transaction

from cyclades.ganeti import jobs
from cyclades.logic import news, ports, quota
from cyclades.models import (
    Port,
    PortState,
    Server,
    ServerDiagnostic,
    ServerResize,
    ServerState,
    ServerTag,
    TagStatus,
    Task,
    Volume,
    VolumeStatus,
)
from synnefo import clock


def fail_build(server: Server) -> None:
    """Mark *server* and what was made for it as failed; the user removes it (contract 9.4)."""
    now = clock.now()
    news.server_failed(server)
    server.operstate = ServerState.ERROR
    Port.objects.filter(machine=server).update(state=PortState.ERROR, updated=now)
    volumes = Volume.objects.filter(machine=server, deleted=False)
    # A volume that was to join the new server is as it was before.
    volumes.filter(status=VolumeStatus.ATTACHING).update(
        status=VolumeStatus.AVAILABLE, machine=None, index=None, updated=now
    )
    volumes.update(status=VolumeStatus.ERROR, updated=now)
    ServerTag.objects.filter(server=server, status=TagStatus.PENDADD).delete()
    jobs.abandon_after_build(server, "the server was not built")


def end(server: Server) -> None:
    """Mark *server* as destroyed; its addresses are free again, floating ones stay with their owner.

    Quota is settled before this, because it depends on what the server was.
    """
    now = clock.now()
    server.operstate = ServerState.DESTROYED
    server.deleted = True
    server.rescue = False
    server.rescue_image = None
    if server.resize_id is not None:
        ServerResize.objects.filter(pk=server.resize_id).delete()
        server.resize = None
    # Holdings come before address pools in the lock order.
    _release_foreign_volumes(server)
    ports.delete_port_rows(list(Port.objects.filter(machine=server)), f"server {server.pk} destroyed")
    ServerTag.objects.filter(server=server).delete()
    Volume.objects.filter(machine=server, deleted=False).update(
        deleted=True, status=VolumeStatus.DELETED, machine=None, updated=now
    )


def _release_foreign_volumes(server: Server) -> None:
    """Give back what the volumes of other owners cost them; the server's owner's go with the server."""
    for volume in Volume.objects.filter(machine=server, deleted=False).exclude(userid=server.userid):
        deltas = {volume.project: {quota.DISK: -quota.disk_bytes(volume)}}
        name = f"client: dispatcher, resource: volume {volume.pk}, action: destroy server {server.pk}"
        if volume.status != VolumeStatus.CREATING:
            quota.charge_now(volume.userid, deltas, name=name, force=True)


def end_task(server: Server, *, succeeded: bool, overtaken: bool = False) -> None:
    """Forget what *server* was waiting for and resolve the commission that waited with it.

    *overtaken*: a newer event came first, so that the server does not show what the task did.
    """
    if server.resize_id is not None:
        # A resize that was made and does not show has not failed: it is looked at and made once more.
        ended = "" if overtaken and succeeded else server.task
        transaction.on_commit(partial(_go_on_with_resize, server.pk, ended, succeeded=succeeded), robust=True)
    if server.task == Task.RESCUE and not succeeded and not server.rescue:
        # The image that was to be booted is nobody's now and may be removed.
        server.rescue_image = None
    server.task = ""
    server.task_job_id = None
    if server.serial is None:
        return
    if succeeded:
        quota.accept(server)
    else:
        quota.reject(server)


def _go_on_with_resize(server_id: int, ended: str, *, succeeded: bool) -> None:
    from cyclades.logic import nova_resize

    nova_resize.advance(server_id, ended=ended, succeeded=succeeded)


def add_diagnostic(server: Server, *, source: str, message: str, level: str = "ERROR") -> None:
    """Tell the user something about the life of *server*; never a backend's own words."""
    ServerDiagnostic.objects.create(
        server=server, level=level, source=source[:100], source_date=clock.now(), message=message[:255]
    )
