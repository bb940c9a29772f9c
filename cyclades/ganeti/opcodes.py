"""Ganeti's opcodes and the RAPI actions that make them (Ganeti contract 3)."""

from __future__ import annotations

from enum import StrEnum


class Opcode(StrEnum):
    """The opcodes that mean something here; others are only recorded."""

    INSTANCE_CREATE = "OP_INSTANCE_CREATE"
    INSTANCE_REMOVE = "OP_INSTANCE_REMOVE"
    INSTANCE_STARTUP = "OP_INSTANCE_STARTUP"
    INSTANCE_SHUTDOWN = "OP_INSTANCE_SHUTDOWN"
    INSTANCE_REBOOT = "OP_INSTANCE_REBOOT"
    INSTANCE_SET_PARAMS = "OP_INSTANCE_SET_PARAMS"
    INSTANCE_GROW_DISK = "OP_INSTANCE_GROW_DISK"
    INSTANCE_RENAME = "OP_INSTANCE_RENAME"
    INSTANCE_SNAPSHOT = "OP_INSTANCE_SNAPSHOT"
    TAGS_SET = "OP_TAGS_SET"
    TAGS_DEL = "OP_TAGS_DEL"
    NETWORK_ADD = "OP_NETWORK_ADD"
    NETWORK_CONNECT = "OP_NETWORK_CONNECT"
    NETWORK_DISCONNECT = "OP_NETWORK_DISCONNECT"
    NETWORK_REMOVE = "OP_NETWORK_REMOVE"
    NETWORK_SET_PARAMS = "OP_NETWORK_SET_PARAMS"
    CLUSTER_SET_PARAMS = "OP_CLUSTER_SET_PARAMS"


#: The opcode that each action of an intent's payload becomes.
OPCODES: dict[str, Opcode] = {
    "create": Opcode.INSTANCE_CREATE,
    "delete": Opcode.INSTANCE_REMOVE,
    "startup": Opcode.INSTANCE_STARTUP,
    "shutdown": Opcode.INSTANCE_SHUTDOWN,
    "reboot": Opcode.INSTANCE_REBOOT,
    "modify": Opcode.INSTANCE_SET_PARAMS,
    "grow-disk": Opcode.INSTANCE_GROW_DISK,
    "tags-add": Opcode.TAGS_SET,
    "tags-delete": Opcode.TAGS_DEL,
    "firewall": Opcode.INSTANCE_SET_PARAMS,
}

#: Two jobs with one of these opcodes on the same instance have the same effect, so an event without a
#: request id may be taken for the intended job.
SELF_DESCRIBING = frozenset(
    {
        Opcode.INSTANCE_CREATE,
        Opcode.INSTANCE_REMOVE,
        Opcode.INSTANCE_STARTUP,
        Opcode.INSTANCE_SHUTDOWN,
        Opcode.INSTANCE_REBOOT,
    }
)

#: The job runs after this dependency whatever became of it.
ANY_END = ["canceled", "error", "success"]
