"""Carrying out what enforcement planned (Ganeti contract 11, step 7)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cyclades.ganeti import clients, waiting
from cyclades.logic import floating_ips, nova_resize, ports, server_actions, volume_deletion
from cyclades.logic.enforcement_plan import Action, Kind, PlannedAction
from cyclades.models import IPAddress, JobIntent, Server, Task, Volume, VolumeStatus
from synnefo.credentials import Credentials
from synnefo.errors import Conflict, SynnefoError

log = logging.getLogger(__name__)

#: Seconds until an address must have left its server.
DETACH_SECONDS = 100.0
_POLL_SECONDS = 0.5


class Result(StrEnum):
    """What became of an action."""

    DONE = "DONE"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Applied:
    """An action, its result and, when it was not done, why."""

    action: PlannedAction
    result: Result
    reason: str = ""


def carry_out(
    credentials: Credentials,
    *,
    actions: Sequence[PlannedAction],
    max_operations: int | None = None,
    shutdown_timeout: int | None = None,
) -> Iterator[Applied]:
    """Do *actions* one by one and yield what became of each; one that fails does not stop the others.

    At most *max_operations* on each backend; *shutdown_timeout* is the seconds a guest has to shut down.
    """
    used: Counter[int] = Counter()
    for action in actions:
        if action.backend is not None and max_operations is not None:
            if used[action.backend] >= max_operations:
                yield Applied(action, Result.SKIPPED, f"{max_operations} operations on this backend")
                continue
            used[action.backend] += 1
        try:
            _do(credentials, action, shutdown_timeout)
        except (SynnefoError, clients.GanetiApiError) as error:
            log.warning("%s of %s %d failed: %s", action.action, action.kind, action.id, error)
            yield Applied(action, Result.FAILED, str(error))
        else:
            yield Applied(action, Result.DONE)


def _do(credentials: Credentials, action: PlannedAction, shutdown_timeout: int | None) -> None:
    if action.kind == Kind.VM:
        _do_server(credentials, action, shutdown_timeout)
    elif action.kind == Kind.VOLUME:
        _remove_volume(credentials, action.id)
    elif action.action == Action.DETACH:
        _detach(credentials, action.id)
    else:
        _detach(credentials, action.id)
        floating_ips.delete(credentials, ip_id=action.id)


def _do_server(credentials: Credentials, action: PlannedAction, timeout: int | None) -> None:
    if action.action == Action.REMOVE:
        server_actions.destroy(credentials, server_id=action.id, shutdown_timeout=timeout)
    elif not nova_resize.keep_stopped(credentials, server_id=action.id):
        server_actions.stop(credentials, server_id=action.id, timeout=timeout)


def _remove_volume(credentials: Credentials, volume_id: int) -> None:
    volume = Volume.objects.select_related("machine").filter(pk=volume_id).first()
    if volume is None or volume.deleted or volume.status in (VolumeStatus.DELETING, VolumeStatus.DELETED):
        return
    server = volume.machine
    if server is not None and (server.deleted or server.task == Task.DESTROY):
        # It goes with its server.
        return
    volume_deletion.delete(credentials, volume_id=volume_id)


def _detach(credentials: Credentials, ip_id: int) -> None:
    """Take a floating IP off its server and wait until it is free; raises ``Conflict`` when it stays."""
    ip = IPAddress.objects.select_related("nic__machine").filter(pk=ip_id, deleted=False).first()
    if ip is None or ip.nic is None:
        return
    server = ip.nic.machine
    ports.delete(credentials, port_id=ip.nic.pk)
    if server is None:
        return
    intent = _disconnection(server)
    if intent is not None:
        job = waiting.wait_for_intent(intent)
        if job.get("status") != "success":
            raise Conflict(f"The job that disconnects {ip.address} ended with {job.get('status')}.")
    deadline = time.monotonic() + DETACH_SECONDS
    while IPAddress.objects.filter(pk=ip_id, deleted=False).exclude(nic=None).exists():
        if time.monotonic() > deadline:
            raise Conflict(f"{ip.address} is still on server {server.pk}; does a dispatcher run?")
        time.sleep(_POLL_SECONDS)


def _disconnection(server: Server) -> JobIntent | None:
    # The newest is the one that was just written.
    intents = JobIntent.objects.filter(server=server, operation=Task.DISCONNECT)
    return intents.select_related("backend").order_by("-pk").first()
