"""The state machine of volumes, row by row (volume contract 7), and its quota (11)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import (
    refusals,
    server_actions,
    server_events,
    volume_attachments,
    volume_create,
    volume_deletion,
    volume_growth,
)
from cyclades.models import IntentState, JobIntent, Server, ServerState, Task, Volume, VolumeStatus
from synnefo import clock
from synnefo.messages import InstanceDisk
from tests.cyclades.compute_fixtures import GIB, Person
from tests.cyclades.ganeti_fixtures import disk_of, op_event

pytestmark = [pytest.mark.db, pytest.mark.django_db, pytest.mark.usefixtures("submitted")]

DISK = "cyclades.disk"
SET_PARAMS = Opcode.INSTANCE_SET_PARAMS
JOB = 100


def used(person: Person) -> int:
    usage, pending = person.usage(DISK)
    assert pending == 0
    return usage // GIB


def submitted_job(server: Server, job: int = JOB) -> Server:
    """Pretend that Ganeti took the server's last intent as *job*."""
    JobIntent.objects.filter(server=server, state=IntentState.PENDING).update(
        state=IntentState.SUBMITTED, job_id=job
    )
    Server.objects.filter(pk=server.pk).update(task_job_id=job)
    return fresh(server)


def fresh(server: Server) -> Server:
    return Server.objects.select_related("flavor__volume_type", "backend").get(pk=server.pk)


def report(
    server: Server, disks, status: str = "success", *, job: int = JOB, opcode=SET_PARAMS, at: float = 0
):
    """Apply the end of a job that left the server with *disks*; ``None`` tells nothing of them."""
    event = op_event(
        server, opcode, status, job=job, at=at,
        instance_disks=None if disks is None else tuple(
            disk_of(disk) if isinstance(disk, Volume) else disk for disk in disks
        ),
    )  # fmt: skip
    return server_events.apply(fresh(server), event)


def root_of(server: Server) -> Volume:
    return server.volumes.get(index=0)


def state(volume: Volume) -> str:
    volume.refresh_from_db()
    return volume.status


@pytest.fixture
def creating(person, host) -> Volume:
    """A volume that is being made on *host* by job 100."""
    request = volume_create.VolumeRequest(name="new", size=5, server_id=host.pk)
    volume = volume_create.create(person.credentials, request=request)
    submitted_job(host)
    return volume


@pytest.fixture
def attaching(person, host, make_volume) -> Volume:
    volume = make_volume(backendjobid=9)
    volume_attachments.attach(person.credentials, server_id=host.pk, volume_id=volume.pk)
    submitted_job(host)
    return Volume.objects.get(pk=volume.pk)


@pytest.fixture
def detaching(person, host, make_volume) -> Volume:
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    volume_attachments.detach(person.credentials, volume_id=volume.pk)
    submitted_job(host)
    return Volume.objects.get(pk=volume.pk)


@pytest.fixture
def deleting(person, host, make_volume) -> Volume:
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    volume_deletion.delete(person.credentials, volume_id=volume.pk)
    submitted_job(host)
    return Volume.objects.get(pk=volume.pk)


#: What is under way, how its job ends, whether the disk is there then: status, GiB charged, on the server.
ROWS = [
    ("creating", "success", True, "IN_USE", 5, True),
    ("creating", "error", False, "DELETED", 0, False),
    ("creating", "error", True, "IN_USE", 5, True),
    ("creating", "canceled", None, "DELETED", 0, False),
    ("attaching", "success", True, "IN_USE", 5, True),
    ("attaching", "success", False, "AVAILABLE", 5, False),
    ("attaching", "error", False, "AVAILABLE", 5, False),
    ("attaching", "error", True, "IN_USE", 5, True),
    ("attaching", "canceled", None, "AVAILABLE", 5, False),
    ("detaching", "success", False, "AVAILABLE", 5, False),
    ("detaching", "error", True, "IN_USE", 5, True),
    ("detaching", "error", False, "AVAILABLE", 5, False),
    ("detaching", "canceled", None, "IN_USE", 5, True),
    ("deleting", "success", False, "DELETED", 0, False),
    ("deleting", "error", True, "IN_USE", 5, True),
    ("deleting", "error", False, "DELETED", 0, False),
    ("deleting", "canceled", None, "IN_USE", 5, True),
]


@pytest.mark.parametrize(("change", "end", "there", "status", "charged", "on_server"), ROWS)
def test_the_end_of_the_own_job(request, host, person, change, end, there, status, charged, on_server):
    volume: Volume = request.getfixturevalue(change)
    disks = None if there is None else [root_of(host), *([volume] if there else [])]
    report(host, disks, end)
    assert state(volume) == status
    assert (volume.machine_id is not None) is on_server
    assert volume.deleted is (status == "DELETED")
    assert used(person) == charged
    server = fresh(host)
    assert (server.task, server.serial) == ("", None)
    if status == "IN_USE":
        assert volume.backendjobid is not None


@pytest.mark.parametrize("change", ["creating", "attaching", "detaching", "deleting"])
def test_an_event_of_another_job_leaves_what_is_under_way(request, host, change):
    volume: Volume = request.getfixturevalue(change)
    leaving = change in ("detaching", "deleting")
    before = volume.status
    report(host, [root_of(host), *([volume] if leaving else [])], job=7, opcode=Opcode.INSTANCE_STARTUP)
    assert state(volume) == before
    # The own job ends later and is older than what was applied.
    report(host, [root_of(host)], "error", job=JOB, at=-5)
    assert state(volume) == {"creating": "DELETED", "attaching": "AVAILABLE"}.get(change, "IN_USE")
    assert fresh(host).task == ""


@pytest.mark.parametrize("change", ["creating", "attaching", "detaching", "deleting"])
def test_a_job_that_ganeti_refuses_is_as_if_never_asked(person, host, make_volume, change):
    server = fresh(host)
    if change == "creating":
        order = volume_create.VolumeRequest(name="new", size=5, server_id=host.pk)
        volume = volume_create.create(person.credentials, request=order)
    elif change == "attaching":
        volume = make_volume()
        volume_attachments.attach(person.credentials, server_id=host.pk, volume_id=volume.pk)
    else:
        volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
        if change == "detaching":
            volume_attachments.detach(person.credentials, volume_id=volume.pk)
        else:
            volume_deletion.delete(person.credentials, volume_id=volume.pk)
    refusals.settle(JobIntent.objects.get(server=server), not_found=False, reason="no")
    assert state(volume) == {"creating": "DELETED", "attaching": "AVAILABLE"}.get(change, "IN_USE")
    assert used(person) == (0 if change == "creating" else 5)
    assert fresh(host).task == ""


def test_the_data_are_known_from_the_first_server_on(creating, host):
    assert creating.backendjobid is None
    report(host, [root_of(host), creating])
    creating.refresh_from_db()
    assert creating.backendjobid == JOB


def test_a_disk_that_vanished_in_ganeti_is_given_back(host, make_volume, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    report(host, [root_of(host)])
    assert state(volume) == "DELETED"
    assert used(person) == 0


def test_a_disk_that_grew_in_ganeti_is_charged(host, make_volume, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    report(host, [root_of(host), disk_of(volume, 8)], opcode=Opcode.INSTANCE_GROW_DISK)
    volume.refresh_from_db()
    assert volume.size == 8
    assert used(person) == 8


def test_disks_that_changed_places_are_renumbered(host, make_volume):
    one, two = (
        make_volume(machine=host, index=i, status=VolumeStatus.IN_USE, backendjobid=9) for i in (1, 2)
    )
    report(host, [root_of(host), two, one])
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.index, two.index) == (2, 1)


def test_the_owner_of_the_volume_pays_not_that_of_the_server(host, make_volume, stranger, person):
    volume = make_volume(
        userid=stranger.uuid, project=stranger.uuid, machine=host, index=1, status=VolumeStatus.IN_USE,
        backendjobid=9,
    )  # fmt: skip
    assert used(stranger) == 5
    report(host, [root_of(host), disk_of(volume, 8)], opcode=Opcode.INSTANCE_GROW_DISK)
    assert (used(stranger), used(person)) == (8, 0)


def test_a_job_of_a_server_that_is_being_made_charges_its_volumes_no_second_time(host, person):
    Server.objects.filter(pk=host.pk).update(operstate=ServerState.BUILD)
    root = root_of(host)
    Volume.objects.filter(pk=root.pk).update(status=VolumeStatus.CREATING, backendjobid=None)
    before = used(person)
    report(host, [root_of(host)])
    assert (state(root), used(person)) == ("IN_USE", before)


def test_an_unnamed_disk_becomes_a_volume_and_is_charged_with_its_next_report(host, person):
    stray = InstanceDisk(name=None, size=3 * 1024, uuid="the-uuid")
    report(host, [root_of(host), stray])
    volume = host.volumes.get(index=1)
    assert (volume.status, volume.size, volume.userid) == ("CREATING", 3, person.uuid)
    payload = JobIntent.objects.get(server=host).payload["body"]
    assert payload == {"disks": [["modify", "the-uuid", {"name": f"snf-vol-{volume.pk}"}]]}
    assert fresh(host).task == ""
    assert used(person) == 0
    report(host, [root_of(host), volume], job=101, at=1)
    assert state(volume) == "IN_USE"
    assert used(person) == 3


def test_nothing_is_adopted_while_a_volume_is_missed(host, make_volume):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    report(host, [root_of(host), InstanceDisk(name=None, size=1024, uuid="u")])
    assert state(volume) == "IN_USE"
    assert host.volumes.count() == 2


@pytest.mark.parametrize("name", ["snf-vol-99999", "somebody's", "snf-vol-0"])
def test_a_named_disk_that_is_no_volume_of_the_server_is_only_reported(host, name):
    report(host, [root_of(host), InstanceDisk(name=name, size=1024, uuid="u")])
    assert host.volumes.count() == 1
    assert not JobIntent.objects.exists()


def test_volumes_of_old_installations_are_known_by_their_own_names(host, make_volume):
    volume = make_volume(
        machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9, legacy_backend_volume_uuid="old"
    )
    report(host, [root_of(host), InstanceDisk(name="old", size=5 * 1024, uuid="u")])
    assert state(volume) == "IN_USE"


def test_a_young_volume_is_waited_for_and_an_old_one_is_given_up(host, make_volume, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.CREATING, charged=False)
    report(host, [root_of(host)], job=7)
    assert state(volume) == "CREATING"
    Volume.objects.filter(pk=volume.pk).update(created=clock.now() - timedelta(minutes=5))
    report(host, [root_of(host)], job=8, at=1)
    assert state(volume) == "DELETED"
    assert used(person) == 0


@pytest.mark.parametrize("status", ["IN_USE", "ATTACHING", "DETACHING", "DELETING"])
def test_volumes_go_with_their_server(host, make_volume, person, stranger, status):
    from cyclades.logic import quota

    root = root_of(host)
    quota.charge_now(person.uuid, quota.server_deltas(host, Task.BUILD, volumes=[root]), name="test")
    own = make_volume(machine=host, index=1, status=status, backendjobid=9)
    foreign = make_volume(
        machine=host, index=2, status=status, backendjobid=9, userid=stranger.uuid, project=stranger.uuid
    )
    server_actions.destroy(person.credentials, server_id=host.pk)
    before = JobIntent.objects.get(operation=Task.DESTROY).payload["before"]["disks"]
    assert [change[1] for change in before] == [f"snf-vol-{v.pk}" for v in (root, own, foreign)]
    submitted_job(host)
    report(host, None, opcode=Opcode.INSTANCE_REMOVE)
    for volume in (root, own, foreign):
        assert state(volume) == "DELETED"
        assert volume.machine_id is None
    assert used(person) == 0
    assert used(stranger) == 0


def test_a_failed_build_leaves_new_volumes_failed_and_old_ones_free(host, make_volume):
    Server.objects.filter(pk=host.pk).update(operstate=ServerState.BUILD, task=Task.BUILD, task_job_id=JOB)
    new = make_volume(machine=host, index=1, status=VolumeStatus.CREATING)
    old = make_volume(machine=host, index=2, status=VolumeStatus.ATTACHING, backendjobid=9)
    report(host, None, "error", opcode=Opcode.INSTANCE_CREATE)
    assert (state(new), state(old)) == ("ERROR", "AVAILABLE")
    assert old.machine_id is None


def test_a_growth_that_nobody_saw_is_charged_once_when_the_disks_are_seen(host, make_volume, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    before = person.usage(DISK)[0]
    volume_growth.extend(person.credentials, volume_id=volume.pk, new_size=8)
    submitted_job(host)
    report(host, None, opcode=Opcode.INSTANCE_GROW_DISK)
    assert (fresh(host).task, person.usage(DISK)) == ("", (before, 0))
    report(host, [root_of(host), disk_of(volume, 8)], job=JOB + 1, at=5)
    assert person.usage(DISK) == (before + 3 * GIB, 0)


def test_a_growth_that_was_overtaken_is_charged_once(host, make_volume, person):
    volume = make_volume(machine=host, index=1, status=VolumeStatus.IN_USE, backendjobid=9)
    before = person.usage(DISK)[0]
    volume_growth.extend(person.credentials, volume_id=volume.pk, new_size=8)
    submitted_job(host)
    report(host, None, job=JOB + 1, at=10)
    report(host, [root_of(host), disk_of(volume, 8)], opcode=Opcode.INSTANCE_GROW_DISK, at=5)
    assert (fresh(host).task, person.usage(DISK)) == ("", (before, 0))
    report(host, [root_of(host), disk_of(volume, 8)], job=JOB + 2, at=20)
    assert person.usage(DISK) == (before + 3 * GIB, 0)
