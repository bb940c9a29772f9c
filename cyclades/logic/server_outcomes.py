"""How a server ends or fails: its ports, volumes, tags, task and commission go with it.

Every function expects the server's row lock, changes the object it is given and leaves saving to the
caller, so that one event is one UPDATE.
"""

from __future__ import annotations

from collections.abc import Iterable

from cyclades.logic import ports, quota
from cyclades.models import (
    Port,
    PortState,
    Server,
    ServerDiagnostic,
    ServerState,
    ServerTag,
    TagStatus,
    Volume,
    VolumeStatus,
)
from synnefo import clock


def fail_build(server: Server) -> None:
    """Mark *server* and what was made for it as failed; the user removes it (contract 9.4)."""
    now = clock.now()
    server.operstate = ServerState.ERROR
    Port.objects.filter(machine=server).update(state=PortState.ERROR, updated=now)
    Volume.objects.filter(machine=server, deleted=False).update(status=VolumeStatus.ERROR, updated=now)
    ServerTag.objects.filter(server=server, status=TagStatus.PENDADD).delete()


def end(server: Server) -> None:
    """Mark *server* as destroyed; its addresses are free again, floating ones stay with their owner.

    Quota is settled before this, because it depends on what the server was.
    """
    now = clock.now()
    server.operstate = ServerState.DESTROYED
    server.deleted = True
    server.rescue = False
    ports.delete_port_rows(list(Port.objects.filter(machine=server)), f"server {server.pk} destroyed")
    ServerTag.objects.filter(server=server).delete()
    Volume.objects.filter(machine=server, deleted=False).update(
        deleted=True, status=VolumeStatus.DELETED, machine=None, updated=now
    )


def end_task(server: Server, *, succeeded: bool) -> None:
    """Forget what *server* was waiting for and resolve the commission that waited with it."""
    server.task = ""
    server.task_job_id = None
    if server.serial is None:
        return
    if succeeded:
        quota.accept(server)
    else:
        quota.reject(server)


def set_tags(server: Server, tags: Iterable[str], *, active: bool) -> None:
    """Show *tags* (decoded) as present in Ganeti, or forget them."""
    names = sorted(set(tags))
    if not names:
        return
    if not active:
        ServerTag.objects.filter(server=server, tag__in=names).delete()
        return
    ServerTag.objects.bulk_create(
        [ServerTag(server=server, tag=tag, status=TagStatus.ACTIVE) for tag in names],
        update_conflicts=True,
        unique_fields=["server", "tag"],
        update_fields=["status"],
    )


def add_diagnostic(server: Server, *, source: str, message: str, level: str = "ERROR") -> None:
    """Tell the user something about the life of *server*; never a backend's own words."""
    ServerDiagnostic.objects.create(
        server=server, level=level, source=source[:100], source_date=clock.now(), message=message[:255]
    )
