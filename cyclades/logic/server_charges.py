"""Quota after a Ganeti job: what was reserved is spent, or what was observed is charged (9.5.1)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import quota
from cyclades.logic.server_disks import Change
from cyclades.logic.server_table import quota_task
from cyclades.models import Flavor, Server, Task
from synnefo.errors import SynnefoError
from synnefo.messages import OpStatus

log = logging.getLogger(__name__)


def settle(
    server: Server,
    event: OpStatus,
    *,
    flavor: Flavor | None,
    disk_changes: Sequence[Change],
    succeeded: bool,
) -> None:
    """Charge what *event* changed, unless the commission of the server's own task does.

    Called while *server* still shows its old state and flavor, on which the amounts depend; *flavor* is
    the new one of a resize. A change that nobody reserved (an administrator's in Ganeti) is charged by
    force, and makes what waits out of date. A build was charged when it was asked for. What the quota
    can't hold (usage below zero, a user without holdings) is logged for ``reconcile-resources-cyclades``.
    """
    if event.operation == Opcode.INSTANCE_CREATE or not succeeded:
        return
    is_own = server.task_job_id == event.job_id and bool(server.task)
    if is_own and server.serial is not None:
        return
    deltas = _observed(server, event, flavor, disk_changes)
    if not deltas:
        return
    quota.reject(server)
    name = f"client: dispatcher, resource: vm:{server.pk}, ganeti_job: {event.job_id}"
    try:
        quota.charge_now(server.userid, deltas, name=name, force=True)
    except SynnefoError as error:
        # Ganeti did it whether the books allow it or not; a stuck event would only add a second error.
        log.error(
            "server %d: job %d is not charged, quota is out of step: %s", server.pk, event.job_id, error
        )


def _observed(
    server: Server, event: OpStatus, flavor: Flavor | None, disk_changes: Sequence[Change]
) -> quota.Deltas:
    task = quota_task(
        event.operation, nic_changes=_list(event.job_fields.get("nics")), beparams=flavor is not None
    )
    deltas: quota.Deltas = {}
    if task == Task.RESIZE or (task is None and flavor is not None):
        if flavor is not None:
            deltas = quota.server_deltas(server, Task.RESIZE, flavor=flavor)
    elif task is not None:
        deltas = quota.server_deltas(server, task)
    for change in disk_changes:
        if change.delta_bytes:
            resources = deltas.setdefault(change.project, {})
            resources[quota.DISK] = resources.get(quota.DISK, 0) + change.delta_bytes
    return deltas


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
