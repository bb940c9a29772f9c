"""What each change of a server costs: every row of compute contract 15.1."""

from __future__ import annotations

import pytest

from cyclades.logic import quota
from cyclades.models import ServerState, Task, Volume, VolumeStatus
from synnefo.errors import BadRequest, OverLimit

pytestmark = pytest.mark.db

GIB = 1 << 30
#: The flavor has 2 CPUs, 1 GiB and 20 GiB; the bigger one 4 CPUs, 4 GiB and the same disk.
EXISTENCE = {"cyclades.vm": 1, "cyclades.total_cpu": 2, "cyclades.total_ram": GIB}
ACTIVITY = {"cyclades.cpu": 2, "cyclades.ram": GIB}
DISK = {"cyclades.disk": 20 * GIB}
STARTED, STOPPED, BUILD, ERROR = (
    ServerState.STARTED, ServerState.STOPPED, ServerState.BUILD, ServerState.ERROR,
)  # fmt: skip


def minus(resources: dict[str, int]) -> dict[str, int]:
    return {name: -quantity for name, quantity in resources.items()}


#: Action, operational state, status of the 20 GiB volume, what changes in the server's project.
ROWS = [
    (Task.BUILD, BUILD, VolumeStatus.CREATING, EXISTENCE | ACTIVITY | DISK),
    (Task.START, STOPPED, VolumeStatus.IN_USE, ACTIVITY),
    (Task.START, STARTED, VolumeStatus.IN_USE, {}),
    (Task.STOP, STARTED, VolumeStatus.IN_USE, minus(ACTIVITY)),
    (Task.STOP, ERROR, VolumeStatus.IN_USE, minus(ACTIVITY)),
    (Task.STOP, STOPPED, VolumeStatus.IN_USE, {}),
    (Task.REBOOT, STARTED, VolumeStatus.IN_USE, {}),
    (Task.REBOOT, STOPPED, VolumeStatus.IN_USE, ACTIVITY),
    (Task.DESTROY, STARTED, VolumeStatus.IN_USE, minus(EXISTENCE | ACTIVITY | DISK)),
    (Task.DESTROY, STOPPED, VolumeStatus.IN_USE, minus(EXISTENCE | DISK)),
    (Task.DESTROY, BUILD, VolumeStatus.CREATING, minus(EXISTENCE | ACTIVITY | DISK)),
    (Task.DESTROY, ERROR, VolumeStatus.ERROR, minus(EXISTENCE | ACTIVITY | DISK)),
    (Task.DESTROY, STARTED, VolumeStatus.ATTACHING, minus(EXISTENCE | ACTIVITY | DISK)),
    (Task.DESTROY, STARTED, VolumeStatus.CREATING, minus(EXISTENCE | ACTIVITY)),
    (Task.ATTACH_VOLUME, STARTED, VolumeStatus.CREATING, DISK),
    (Task.ATTACH_VOLUME, STARTED, VolumeStatus.ATTACHING, {}),
    (Task.DETACH_VOLUME, STARTED, VolumeStatus.DETACHING, {}),
    (Task.CONNECT, STARTED, VolumeStatus.IN_USE, {}),
    (Task.DISCONNECT, STARTED, VolumeStatus.IN_USE, {}),
    (Task.RESCUE, STOPPED, VolumeStatus.IN_USE, {}),
    (Task.UNRESCUE, STOPPED, VolumeStatus.IN_USE, {}),
    (Task.SUSPEND, STARTED, VolumeStatus.IN_USE, {}),
    (Task.UNSUSPEND, STARTED, VolumeStatus.IN_USE, {}),
]


@pytest.fixture
def make_volume(flavor):
    def make(server, status=VolumeStatus.IN_USE, **values) -> Volume:
        row = {"size": 20, "volume_type": flavor.volume_type, "index": 0, "project": server.project}
        return Volume.objects.create(machine=server, userid=server.userid, status=status, **(row | values))

    return make


@pytest.mark.parametrize(("action", "operstate", "volume_status", "expected"), ROWS)
def test_row(make_server, make_volume, action, operstate, volume_status, expected):
    server = make_server(operstate=operstate)
    make_volume(server, volume_status)
    wanted = {server.project: expected} if expected else {}
    assert quota.server_deltas(server, action) == wanted


def test_deletion_of_a_volume(make_server, make_volume):
    server = make_server()
    volume = make_volume(server)
    deltas = quota.server_deltas(server, Task.DELETE_VOLUME, volumes=[volume])
    assert deltas == {server.project: minus(DISK)}


def test_resize_of_a_stopped_server(make_server, bigger_flavor):
    deltas = quota.server_deltas(make_server(operstate=STOPPED), Task.RESIZE, flavor=bigger_flavor)
    assert list(deltas.values()) == [{"cyclades.total_cpu": 2, "cyclades.total_ram": 3 * GIB}]


def test_resize_seen_while_online(make_server, bigger_flavor):
    deltas = quota.server_deltas(make_server(), Task.RESIZE, flavor=bigger_flavor)
    assert list(deltas.values()) == [
        {
            "cyclades.total_cpu": 2, "cyclades.total_ram": 3 * GIB, "cyclades.cpu": 2, "cyclades.ram": 3 * GIB,  # noqa: E501
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("operstate", "moved"), [(STARTED, EXISTENCE | ACTIVITY), (STOPPED, EXISTENCE)])
def test_reassignment_moves_the_server_and_its_system_disk_only(make_server, make_volume, operstate, moved):
    server = make_server(operstate=operstate)
    make_volume(server)
    make_volume(server, index=1)
    deltas = quota.server_deltas(server, Task.REASSIGN, project="other")
    assert deltas == {server.project: minus(moved | DISK), "other": moved | DISK}


def test_each_volume_is_released_in_its_own_project(make_server, make_volume):
    server = make_server(operstate=STOPPED)
    make_volume(server)
    make_volume(server, index=1, project="other")
    deltas = quota.server_deltas(server, Task.DESTROY)
    assert deltas["other"] == minus(DISK)
    assert deltas[server.project] == minus(EXISTENCE | DISK)


def test_nothing_to_charge_needs_no_commission(make_server):
    assert quota.issue(make_server(), {}, name="nothing") is None


def test_an_issued_commission_is_pending_until_resolved(person, make_server):
    server = make_server(operstate=STOPPED)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.save()
    assert person.usage("cyclades.cpu") == (2, 2)
    quota.accept(server)
    assert person.usage("cyclades.cpu") == (2, 0)
    server.refresh_from_db()
    assert server.serial is None


def test_a_rejected_commission_leaves_no_trace(person, make_server):
    server = make_server(operstate=STOPPED)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.save()
    quota.reject(server)
    assert person.usage("cyclades.cpu") == (0, 0)


def test_issuing_rejects_what_still_waits(person, make_server):
    server = make_server(operstate=STOPPED)
    for _ in range(2):
        server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
        server.save()
    assert person.usage("cyclades.cpu") == (2, 2)


def test_over_limit_names_the_resource_and_the_quantities(person, make_server):
    with pytest.raises(OverLimit) as caught:
        quota.charge_now(person.uuid, {person.uuid: {"cyclades.vm": 11}}, name="too many")
    assert caught.value.message == "Quota limit reached"
    assert "cyclades.vm" in caught.value.details
    assert "11" in caught.value.details


def test_a_project_of_others_is_a_bad_request(person):
    with pytest.raises(BadRequest, match="not in project"):
        quota.charge_now(person.uuid, {"elsewhere": {"cyclades.vm": 1}}, name="x")
