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
    if event.operation == Opcode.INSTANCE_CREATE:
        return
    is_own = server.task_job_id == event.job_id and bool(server.task)
    if is_own and server.task == Task.GROW_VOLUME and event.instance_disks is None:
        # The volume keeps its size until the disks are seen, which charges the difference.
        quota.reject(server)
    if succeeded and is_own and server.serial is not None:
        return
    # A job that failed may have added or removed a disk before.
    by_owner = {server.userid: _observed(server, event, flavor) if succeeded else {}}
    for change in disk_changes:
        _add_disk(by_owner.setdefault(change.owner, {}), change)
    if not any(by_owner.values()):
        return
    quota.reject(server)
    for owner, deltas in sorted(by_owner.items()):
        charge(server, owner, deltas, cause=f"ganeti_job: {event.job_id}")


def charge(server: Server, owner: str, deltas: quota.Deltas, *, cause: str) -> None:
    """Charge what has happened already, whatever the limits are."""
    name = f"client: dispatcher, resource: vm:{server.pk}, {cause}"
    try:
        quota.charge_now(owner, deltas, name=name, force=True)
    except SynnefoError as error:
        # It happened whether the books allow it or not; a stuck event would only add a second error.
        log.error("server %d: not charged (%s), quota is out of step: %s", server.pk, cause, error)


def _add_disk(deltas: quota.Deltas, change: Change) -> None:
    if change.delta_bytes:
        resources = deltas.setdefault(change.project, {})
        resources[quota.DISK] = resources.get(quota.DISK, 0) + change.delta_bytes


def _observed(server: Server, event: OpStatus, flavor: Flavor | None) -> quota.Deltas:
    task = quota_task(
        event.operation, nic_changes=_list(event.job_fields.get("nics")), beparams=flavor is not None
    )
    deltas: quota.Deltas = {}
    if task == Task.RESIZE or (task is None and flavor is not None):
        if flavor is not None:
            deltas = quota.server_deltas(server, Task.RESIZE, flavor=flavor)
    elif task is not None:
        deltas = quota.server_deltas(server, task)
    return deltas


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
