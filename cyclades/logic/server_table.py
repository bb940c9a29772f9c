"""What the end of a Ganeti job does to a server, as tables (Ganeti contract 9.4, 9.5.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cyclades.ganeti.opcodes import Opcode
from cyclades.models import ServerState, Task
from synnefo.messages import FINAL_STATUSES

#: ``job_fields`` of device changes: list of ``[verb, device, parameters]``.
Changes = list[Any]


@dataclass(frozen=True)
class Effect:
    """The consequences of one final event.

    ``operstate`` None leaves it; ``moves_time`` makes the event the newest one applied (failures don't,
    so that a success that arrives late is not lost); ``deletes`` ends the server, ``fails_build`` marks
    everything that belongs to it as failed; ``tags`` says what becomes of the message's tags.
    """

    operstate: ServerState | None = None
    moves_time: bool = False
    deletes: bool = False
    fails_build: bool = False
    tags: str = ""


TAGS_ACTIVE, TAGS_DELETED = "active", "deleted"

_UNCHANGED = Effect(moves_time=True)
_NOTHING = Effect()
_REMOVED = Effect(ServerState.DESTROYED, moves_time=True, deletes=True, tags=TAGS_DELETED)

ON_SUCCESS: dict[str, Effect] = {
    Opcode.INSTANCE_CREATE: Effect(ServerState.STARTED, moves_time=True, tags=TAGS_ACTIVE),
    Opcode.INSTANCE_REMOVE: _REMOVED,
    Opcode.INSTANCE_STARTUP: Effect(ServerState.STARTED, moves_time=True),
    Opcode.INSTANCE_REBOOT: Effect(ServerState.STARTED, moves_time=True),
    Opcode.INSTANCE_SHUTDOWN: Effect(ServerState.STOPPED, moves_time=True),
    # Events about tags may overtake the instance's own, which must not look old then.
    Opcode.TAGS_SET: Effect(tags=TAGS_ACTIVE),
    Opcode.TAGS_DEL: Effect(tags=TAGS_DELETED),
}
ON_FAILURE: dict[str, Effect] = {
    Opcode.INSTANCE_CREATE: Effect(ServerState.ERROR, moves_time=True, fails_build=True, tags=TAGS_DELETED),
    Opcode.TAGS_SET: Effect(tags=TAGS_DELETED),
    Opcode.TAGS_DEL: Effect(tags=TAGS_ACTIVE),
}


def effect_of(opcode: str, status: str, *, instance_missing: bool = False) -> Effect:
    """Return what the final *status* of a job with *opcode* means.

    *instance_missing*: Ganeti was asked and has no such instance, which makes a failed removal a success.
    """
    if status not in FINAL_STATUSES:
        raise ValueError(f"'{status}' is not a final status")
    if status == "success":
        return ON_SUCCESS.get(opcode, _UNCHANGED)
    if opcode == Opcode.INSTANCE_REMOVE and status == "error" and instance_missing:
        return _REMOVED
    return ON_FAILURE.get(opcode, _NOTHING)


_QUOTA_TASKS: dict[str, Task] = {
    Opcode.INSTANCE_CREATE: Task.BUILD,
    Opcode.INSTANCE_STARTUP: Task.START,
    Opcode.INSTANCE_SHUTDOWN: Task.STOP,
    Opcode.INSTANCE_REBOOT: Task.REBOOT,
    Opcode.INSTANCE_REMOVE: Task.DESTROY,
}
_NIC_TASKS = {"add": Task.CONNECT, "remove": Task.DISCONNECT}


def quota_task(opcode: str, *, nic_changes: Changes, beparams: bool) -> Task | None:
    """Return the task whose quota effect an event has; disk changes are charged by what the disks show."""
    if opcode != Opcode.INSTANCE_SET_PARAMS:
        return _QUOTA_TASKS.get(opcode)
    if nic_changes and isinstance(nic_changes[0], list) and nic_changes[0]:
        task = _NIC_TASKS.get(str(nic_changes[0][0]))
        if task is not None:
            return task
    return Task.RESIZE if beparams else None
