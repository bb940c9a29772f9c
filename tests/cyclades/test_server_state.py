"""Every cell of the permission matrix, and the words clients see (compute contract 14)."""

from __future__ import annotations

import itertools

import pytest

from cyclades.logic.server_state import (
    MATRIX,
    Access,
    Situation,
    api_status,
    require_allowed,
    situation,
    task_state,
)
from cyclades.models import Server, ServerState, Task
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, BuildInProgress, Forbidden, SynnefoError

pytestmark = pytest.mark.unit

ME = Credentials(user_id="me")
ADMIN = Credentials.administrator()
OK, BAD, BUSY = 200, 400, 409

#: The columns: idle STARTED, STOPPED, BUILD, ERROR; task BUILD (instance unknown to Ganeti); another task.
POSITIONS: tuple[tuple[str, str], ...] = (
    (ServerState.STARTED, ""),
    (ServerState.STOPPED, ""),
    (ServerState.BUILD, ""),
    (ServerState.ERROR, ""),
    (ServerState.BUILD, Task.BUILD),
    (ServerState.STARTED, Task.STOP),
)
EXPECTED: dict[str, tuple[int, ...]] = {
    Task.START: (BAD, OK, BUSY, BAD, BUSY, BAD),
    Task.STOP: (OK, BAD, BUSY, BAD, BUSY, BAD),
    Task.REBOOT: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.RESIZE: (BAD, OK, BUSY, BAD, BUSY, BAD),
    Task.RESCUE: (BAD, OK, BUSY, BAD, BUSY, BAD),
    Task.UNRESCUE: (BAD, OK, BUSY, BAD, BUSY, BAD),
    Task.CONNECT: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.DISCONNECT: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.ATTACH_VOLUME: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.DETACH_VOLUME: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.DELETE_VOLUME: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.GROW_VOLUME: (OK, OK, BUSY, BAD, BUSY, BAD),
    Access.FIREWALL: (OK, OK, BUSY, BAD, BUSY, BAD),
    Task.REASSIGN: (OK, OK, OK, OK, BUSY, BAD),
    Task.DESTROY: (OK, OK, OK, OK, BUSY, OK),
    Access.TAGS: (OK,) * 6,
    Access.CONSOLE: (OK, BAD, BAD, BAD, BAD, OK),
    Access.RENAME: (OK,) * 6,
    Access.METADATA: (OK,) * 6,
    Task.SUSPEND: (OK,) * 6,
    Task.UNSUSPEND: (OK,) * 6,
}
HOTPLUG_ACTIONS = (
    Task.CONNECT, Task.DISCONNECT, Task.ATTACH_VOLUME, Task.DETACH_VOLUME, Task.DELETE_VOLUME,
)  # fmt: skip


class ServerInMemory(Server):
    """A row that is never saved and has no diagnostics."""

    class Meta:
        app_label = "cyclades"
        proxy = True

    @property
    def diagnostics(self):  # type: ignore[override]
        return self

    def exists(self) -> bool:
        return False


def outcome(credentials: Credentials, server: Server, action: str) -> int:
    try:
        require_allowed(credentials, server, action)
    except SynnefoError as error:
        return error.code
    return OK


def server(operstate: str, task: str = "", **values: object) -> Server:
    return ServerInMemory(operstate=operstate, task=task, **values)


CELLS = [
    (action, position, code)
    for action, codes in EXPECTED.items()
    for position, code in zip(POSITIONS, codes, strict=True)
]


@pytest.mark.parametrize(("action", "position", "code"), CELLS)
def test_cell(settings, action, position, code):
    settings.GANETI_USE_HOTPLUG = True
    assert outcome(ME, server(*position), action) == code


@pytest.mark.parametrize("action", HOTPLUG_ACTIONS)
def test_without_hotplug_a_started_server_keeps_its_devices(settings, action):
    settings.GANETI_USE_HOTPLUG = False
    assert outcome(ME, server(ServerState.STARTED), action) == BAD
    assert outcome(ME, server(ServerState.STOPPED), action) == OK


def test_every_action_has_every_situation():
    actions = {action for action, _ in MATRIX}
    assert set(MATRIX) == set(itertools.product(actions, Situation))
    assert actions == set(EXPECTED)


@pytest.mark.parametrize("action", sorted(EXPECTED))
@pytest.mark.parametrize("position", POSITIONS)
def test_deleted_comes_before_suspended_comes_before_the_table(action, position):
    with pytest.raises(BadRequest):
        require_allowed(ME, server(*position, deleted=True, suspended=True), action)
    with pytest.raises(Forbidden):
        require_allowed(ME, server(*position, suspended=True), action)


def test_administrators_may_act_on_suspended_servers():
    require_allowed(ADMIN, server(ServerState.STARTED, suspended=True), Task.STOP)


def test_a_building_server_can_be_destroyed_once_its_deployment_reported():
    require_allowed(ME, server(ServerState.BUILD, Task.BUILD, buildpercentage=1), Task.DESTROY)


@pytest.mark.parametrize("who", [ME, ADMIN])
@pytest.mark.parametrize("action", [Task.DESTROY, Task.REASSIGN])
def test_a_server_that_is_being_imported_is_not_taken_away(who, action):
    with pytest.raises(BuildInProgress, match="being imported"):
        require_allowed(who, server(ServerState.BUILD, backendopcode="OP_INSTANCE_RENAME"), action)
    require_allowed(who, server(ServerState.STOPPED, backendopcode="OP_INSTANCE_RENAME"), action)


def test_a_build_in_progress_is_told_from_a_wrong_state():
    with pytest.raises(BuildInProgress):
        require_allowed(ME, server(ServerState.BUILD, Task.BUILD), Task.START)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        (server(ServerState.BUILD), "BUILD"),
        (server(ServerState.ERROR), "ERROR"),
        (server(ServerState.STOPPED), "STOPPED"),
        (server(ServerState.STARTED), "ACTIVE"),
        (server(ServerState.STARTED, Task.REBOOT), "REBOOT"),
        (server(ServerState.STOPPED, Task.REBOOT), "STOPPED"),
        (
            server(ServerState.STARTED, backendopcode="OP_INSTANCE_REBOOT", backendjobstatus="running"),
            "REBOOT",
        ),
        (
            server(ServerState.STARTED, backendopcode="OP_INSTANCE_REBOOT", backendjobstatus="success"),
            "ACTIVE",
        ),
        (server(ServerState.STARTED, Task.DESTROY), "ACTIVE"),
        (server(ServerState.DESTROYED), "DELETED"),
        (server(ServerState.STARTED, deleted=True), "DELETED"),
        (server("SOMETHING"), "UNKNOWN"),
    ],
)
def test_status(row, status):
    assert api_status(row) == status


@pytest.mark.parametrize(
    ("task", "word"),
    [
        ("", ""), ("BUILD", "BUILDING"), ("START", "STARTING"), ("STOP", "STOPPING"),
        ("REBOOT", "REBOOTING"), ("DESTROY", "DESTROYING"), ("RESIZE", "RESIZING"),
        ("RESCUE", "RESCUING"), ("UNRESCUE", "UNRESCUING"), ("CONNECT", "CONNECTING"),
        ("DISCONNECT", "DISCONNECTING"), ("ATTACH_VOLUME", "ATTACHING_VOLUME"),
        ("DETACH_VOLUME", "DETACHING_VOLUME"), ("DELETE_VOLUME", "UNKNOWN"),
    ],
)  # fmt: skip
def test_task_state(task, word):
    assert task_state(server(ServerState.STARTED, task)) == word


def test_situations_are_the_columns():
    assert [situation(server(*position)) for position in POSITIONS] == list(Situation)
