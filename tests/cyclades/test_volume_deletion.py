"""Deleting volumes that left their server: the queue and the instances it makes (volume contract 8)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cyclades.dispatcher import handlers
from cyclades.ganeti import clients
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import volume_deletion
from cyclades.models import Backend, Volume, VolumeStatus
from synnefo import clock
from synnefo.messages import OpStatus
from tests.cyclades.compute_fixtures import GIB
from tests.cyclades.ganeti_fixtures import FakeCluster

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DISK = "cyclades.disk"


@pytest.fixture
def doomed(person, make_volume, backend, settings, django_capture_on_commit_callbacks) -> Volume:
    """A volume with data whose deletion was asked for and not sent yet."""
    volume = make_volume(backendjobid=9)
    volume_deletion.delete(person.credentials, volume_id=volume.pk)
    return Volume.objects.get(pk=volume.pk)


def removed(volume: Volume, status: str = "success", operation: str = Opcode.INSTANCE_REMOVE) -> OpStatus:
    now = clock.now()
    return OpStatus(
        operation=operation,
        status=status,
        job_id=101,
        event_time=(int(now.timestamp()), now.microsecond),
        cluster="cluster.example",
        instance=f"snf-vol-{volume.pk}",
    )


def handle(event: OpStatus):
    work = handlers.Work(event)
    return handlers.apply(work, handlers.lock([work]))


def test_the_data_are_taken_along_by_an_instance_of_the_volumes_name(doomed, cluster: FakeCluster):
    volume_deletion.advance(doomed.pk)
    assert [m for m in cluster.methods() if m != "GetInstance"] == ["CreateInstance", "DeleteInstance"]
    create, delete = cluster.calls[-2], cluster.calls[-1]
    body = create[1][0]
    assert (body["name"], body["start"], body["no_install"], body["nics"]) == (
        f"snf-vol-{doomed.pk}", False, True, [],
    )  # fmt: skip
    disk = {"name": f"snf-vol-{doomed.pk}", "size": 5120, "provider": "snffile", "reuse_data": "True"}
    assert body["disks"] == [disk]
    assert delete[2]["depends"] == [[100, ["success"]]]


def test_users_see_it_deleting_until_the_instance_is_gone(doomed, volume_api, person, cluster):
    volume_deletion.advance(doomed.pk)
    assert volume_api.get(f"volumes/{doomed.pk}").json()["volume"]["status"] == "deleting"
    assert person.usage(DISK) == (5 * GIB, 0)
    for event in (
        removed(doomed, "running"),
        removed(doomed, "error"),
        removed(doomed, operation=Opcode.INSTANCE_CREATE),
    ):
        handle(event)
        assert Volume.objects.get(pk=doomed.pk).status == VolumeStatus.DELETING
    for _ in range(2):  # events come at least once
        handle(removed(doomed))
        assert volume_api.get(f"volumes/{doomed.pk}").json()["volume"]["status"] == "deleted"
        assert person.usage(DISK) == (0, 0)


def test_an_instance_that_is_left_over_is_only_removed(doomed, cluster: FakeCluster):
    cluster.instances[f"snf-vol-{doomed.pk}"] = {"name": f"snf-vol-{doomed.pk}"}
    volume_deletion.advance(doomed.pk)
    assert "CreateInstance" not in cluster.methods()
    assert cluster.calls[-1][2]["depends"] is None


@pytest.mark.parametrize(
    "failure",
    [clients.RapiUnavailable(0, "away"), clients.RapiUnknown(0, "no answer"), clients.RapiRefused(500, "no")],
)
def test_what_fails_is_tried_again_by_the_repair_task(doomed, cluster: FakeCluster, failure):
    cluster.failure = failure
    volume_deletion.advance(doomed.pk)
    assert Volume.objects.get(pk=doomed.pk).status == VolumeStatus.DELETING
    cluster.failure = None
    assert volume_deletion.run_queue() == 0
    Volume.objects.filter(pk=doomed.pk).update(updated=clock.now() - timedelta(minutes=1))
    assert volume_deletion.run_queue() == 1
    assert cluster.methods()[-1] == "DeleteInstance"
    assert volume_deletion.run_queue() == 0


def test_a_cluster_without_the_data_is_not_asked_for_ever(doomed, backend):
    Volume.objects.update(backend=backend)
    handle(removed(doomed, "error", operation=Opcode.INSTANCE_CREATE))
    doomed.refresh_from_db()
    assert (doomed.backend, doomed.status) == (None, VolumeStatus.DELETING)


def test_the_cluster_that_had_the_volume_is_asked(doomed, cluster: FakeCluster, backend):
    others = [
        Backend.objects.create(
            clustername=f"c{i}", index=i, disk_templates=["ext"], updated=clock.now(), drained=i == 2
        )
        for i in (1, 2)
    ]
    doomed.backend = backend
    assert volume_deletion._backends(doomed) == [backend]
    doomed.backend = others[1]
    assert volume_deletion._backends(doomed) == [others[1]]
    doomed.backend = None
    assert volume_deletion._backends(doomed)[-1] == others[1]
    Backend.objects.update(offline=True)
    volume_deletion.advance(doomed.pk)
    assert not cluster.calls


def test_events_of_other_peoples_instances_are_ignored(doomed, make_volume):
    other = make_volume()
    assert handle(removed(other)) == "applied"
    assert Volume.objects.get(pk=other.pk).status == VolumeStatus.AVAILABLE
