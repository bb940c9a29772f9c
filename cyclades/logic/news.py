"""Telling users in their browser what became of what they started (web contract 4.1)."""

from __future__ import annotations

from cyclades.models import Server, ServerState, SnapshotJob
from synnefo import notifications


def server_built(server: Server) -> None:
    """Tell the owner that a machine is ready; call it before the state changes, it tells once only."""
    if server.operstate == ServerState.BUILD:
        _of_server(server, "built")


def server_failed(server: Server) -> None:
    """Tell the owner that a machine could not be built; call it before the state changes."""
    if server.operstate != ServerState.ERROR:
        _of_server(server, "failed")


def server_refused(server: Server) -> None:
    """Tell the owner that the cluster refused what he asked of a machine."""
    _of_server(server, "refused")


def server_suspended(server: Server) -> None:
    """Tell the owner that the staff suspended a machine, or released it."""
    _of_server(server, "suspended" if server.suspended else "released")


def _of_server(server: Server, what: str) -> None:
    if not server.helper:
        notifications.tell([server.userid], f"server.{what}", f"server:{server.pk}", name=server.name)


def snapshot_ended(job: SnapshotJob, *, owner: str, succeeded: bool) -> None:
    """Tell the *owner* of a snapshot what became of it."""
    if job.volume is None:
        return
    name = job.volume.name or f"#{job.volume.pk}"
    kind = "snapshot.done" if succeeded else "snapshot.failed"
    notifications.tell([owner], kind, f"snapshot:{job.snapshot_id}", name=name)
