"""The server's state machine as clients see it, as tables (compute contract 14)."""

from __future__ import annotations

from enum import Enum, StrEnum

from django.conf import settings

from cyclades.ganeti.opcodes import Opcode
from cyclades.models import Server, ServerState, Task
from synnefo.credentials import Credentials
from synnefo.errors import BuildInProgress, Deleted, Forbidden, WrongState

#: API status by operational state; deleted servers and reboots are special (compute contract 14.2).
STATUS: dict[str, str] = {
    ServerState.BUILD: "BUILD",
    ServerState.ERROR: "ERROR",
    ServerState.STOPPED: "STOPPED",
    ServerState.STARTED: "ACTIVE",
    ServerState.DESTROYED: "DELETED",
}

#: ``SNF:task_state`` by task (compute contract 14.3).
TASK_STATE: dict[str, str] = {
    "": "",
    Task.BUILD: "BUILDING",
    Task.START: "STARTING",
    Task.STOP: "STOPPING",
    Task.REBOOT: "REBOOTING",
    Task.DESTROY: "DESTROYING",
    Task.RESIZE: "RESIZING",
    Task.RESCUE: "RESCUING",
    Task.UNRESCUE: "UNRESCUING",
    Task.CONNECT: "CONNECTING",
    Task.DISCONNECT: "DISCONNECTING",
    Task.ATTACH_VOLUME: "ATTACHING_VOLUME",
    Task.DETACH_VOLUME: "DETACHING_VOLUME",
}

UNFINISHED_JOB = frozenset({"queued", "waiting", "canceling", "running"})


class Access(StrEnum):
    """What may be asked of a server besides its tasks."""

    FIREWALL = "FIREWALL"
    CONSOLE = "CONSOLE"
    RENAME = "RENAME"
    METADATA = "METADATA"
    TAGS = "TAGS"


class Situation(Enum):
    """The columns of the permission matrix."""

    IDLE_STARTED = "idle STARTED"
    IDLE_STOPPED = "idle STOPPED"
    IDLE_BUILD = "idle BUILD"
    IDLE_ERROR = "idle ERROR"
    TASK_BUILD = "task BUILD"
    TASK_OTHER = "other task"


class Verdict(Enum):
    """The cells of the permission matrix."""

    OK = "ok"
    REFUSED = "400"
    BUILDING = "409"
    HOTPLUG = "ok if GANETI_USE_HOTPLUG"
    IF_STARTED = "ok iff STARTED"
    #: 409 while the instance does not exist in Ganeti.
    IF_CREATED = "ok once the instance exists"


_OK, _NO, _BUILDING = Verdict.OK, Verdict.REFUSED, Verdict.BUILDING
_HOTPLUG = Verdict.HOTPLUG
_COLUMNS = tuple(Situation)

#: Action to verdicts, in the order of ``Situation`` (compute contract 14.4).
_ROWS: dict[str, tuple[Verdict, ...]] = {
    Task.START: (_NO, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.STOP: (_OK, _NO, _BUILDING, _NO, _BUILDING, _NO),
    Task.REBOOT: (_OK, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.RESIZE: (_NO, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.RESCUE: (_NO, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.UNRESCUE: (_NO, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.CONNECT: (_HOTPLUG, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.DISCONNECT: (_HOTPLUG, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.ATTACH_VOLUME: (_HOTPLUG, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.DETACH_VOLUME: (_HOTPLUG, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.GROW_VOLUME: (_OK, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.DELETE_VOLUME: (_HOTPLUG, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Access.FIREWALL: (_OK, _OK, _BUILDING, _NO, _BUILDING, _NO),
    Task.REASSIGN: (_OK, _OK, _OK, _OK, _BUILDING, _NO),
    Task.DESTROY: (_OK, _OK, _OK, _OK, Verdict.IF_CREATED, _OK),
    Access.TAGS: (_OK,) * 6,
    Access.CONSOLE: (_OK, _NO, _NO, _NO, _NO, Verdict.IF_STARTED),
    Access.RENAME: (_OK,) * 6,
    Access.METADATA: (_OK,) * 6,
    Task.SUSPEND: (_OK,) * 6,
    Task.UNSUSPEND: (_OK,) * 6,
}

MATRIX: dict[tuple[str, Situation], Verdict] = {
    (action, situation): verdict
    for action, row in _ROWS.items()
    for situation, verdict in zip(_COLUMNS, row, strict=True)
}

_IDLE: dict[str, Situation] = {
    ServerState.STARTED: Situation.IDLE_STARTED,
    ServerState.STOPPED: Situation.IDLE_STOPPED,
    ServerState.BUILD: Situation.IDLE_BUILD,
}


def situation(server: Server) -> Situation:
    """Return the column of the permission matrix that *server* is in."""
    if server.task == Task.BUILD:
        return Situation.TASK_BUILD
    if server.task:
        return Situation.TASK_OTHER
    return _IDLE.get(server.operstate, Situation.IDLE_ERROR)


def api_status(server: Server) -> str:
    """Return the status clients see (compute contract 14.2)."""
    if server.deleted:
        return "DELETED"
    rebooting = server.task == Task.REBOOT or (
        server.backendopcode == "OP_INSTANCE_REBOOT" and server.backendjobstatus in UNFINISHED_JOB
    )
    if server.operstate == ServerState.STARTED and rebooting:
        return "REBOOT"
    return STATUS.get(server.operstate, "UNKNOWN")


def task_state(server: Server) -> str:
    """Return ``SNF:task_state`` (compute contract 14.3)."""
    return TASK_STATE.get(server.task, "UNKNOWN")


def instance_exists(server: Server) -> bool:
    """Tell whether Ganeti is known to have the instance, from what its nodes reported.

    Progress is reported by the deployment of the operating system, which starts after the instance
    entered Ganeti's configuration; asking Ganeti would make the client wait for it.
    """
    if server.task != Task.BUILD:
        return True
    return server.buildpercentage > 0 or server.diagnostics.exists()


def is_being_imported(server: Server) -> bool:
    """Tell whether ``server_import`` has not brought the instance under the server's name yet.

    Ganeti knows no instance of this name so far, and must not be asked to remove it: the import would go on.
    """
    return server.operstate == ServerState.BUILD and server.backendopcode == Opcode.INSTANCE_RENAME


def require_writable(credentials: Credentials, server: Server) -> None:
    """Raise unless *server* is neither deleted nor, for users, suspended."""
    if server.deleted:
        raise Deleted("Server has been deleted.")
    if server.suspended and not credentials.is_admin:
        raise Forbidden("Administratively Suspended VM")


def require_allowed(credentials: Credentials, server: Server, action: str) -> None:
    """Raise unless *action*, a ``Task`` or an ``Access``, may be done on *server* now.

    Raises ``BadRequest`` (deleted, wrong state, pending task), ``Forbidden`` (suspended) or
    ``BuildInProgress`` (compute contract 14.4).
    """
    require_writable(credentials, server)
    verdict = MATRIX[str(action), situation(server)]
    if is_being_imported(server) and action in (Task.DESTROY, Task.REASSIGN):
        raise BuildInProgress("Server is being imported")
    if verdict is Verdict.BUILDING or (verdict is Verdict.IF_CREATED and not instance_exists(server)):
        raise BuildInProgress("Server is being built")
    hotplug_missing = verdict is Verdict.HOTPLUG and not settings.GANETI_USE_HOTPLUG
    not_started = verdict is Verdict.IF_STARTED and server.operstate != ServerState.STARTED
    if verdict is Verdict.REFUSED or hotplug_missing or not_started:
        raise WrongState(_refusal(server, action))


def _refusal(server: Server, action: str) -> str:
    if server.task:
        return f"Cannot perform '{action}' action while there is a pending '{server.task}'."
    return f"Cannot perform '{action}' action while server is in '{server.operstate}' state."
