"""Intents reach Ganeti exactly once, whatever fails in between."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cyclades.ganeti import clients, jobs, repair, requests, submission
from cyclades.logic import quota, vmapi
from cyclades.models import (
    BackendNetwork,
    IntentState,
    IPAddress,
    JobIntent,
    PortState,
    Server,
    ServerState,
    Task,
    VolumeStatus,
)
from synnefo import clock
from tests.cyclades.ganeti_fixtures import add_port, make_intent

pytestmark = [pytest.mark.db, pytest.mark.django_db]

REFUSED = clients.RapiRefused(400, "no")
UNAVAILABLE = clients.RapiUnavailable("connection refused")
UNKNOWN = clients.RapiUnknown("read timeout")


@pytest.fixture
def started(make_server):
    return make_server(operstate=ServerState.STARTED)


def due_again(intent: JobIntent) -> None:
    """Let the lease of an earlier attempt be over."""
    JobIntent.objects.filter(pk=intent.pk).update(not_before=clock.now() - timedelta(seconds=1))


def test_an_intent_sets_the_task_and_is_submitted_after_the_commit(
    started, cluster, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        intent = jobs.intend(server=started, operation=Task.STOP, payload=requests.shutdown_payload())
        assert cluster.calls == []
    intent.refresh_from_db()
    started.refresh_from_db()
    assert (intent.state, intent.job_id) == (IntentState.SUBMITTED, 100)
    assert (started.task, started.task_job_id, started.action) == (Task.STOP, 100, Task.STOP)
    assert cluster.jobs[100]["ops"][0]["reason"][0][1] == intent.request_id


def test_a_creation_makes_its_networks_first_and_names_the_one_time_url(
    building, cluster, django_capture_on_commit_callbacks
):
    volume = building.volumes.get()
    image = type("Image", (), {"mapfile": "map", "size": 5, "disk_format": "diskdump"})()
    payload = requests.create_payload(building, building.flavor, list(building.ports.all()), [volume], image)
    with django_capture_on_commit_callbacks(execute=True):
        intent = jobs.intend(server=building, operation=Task.BUILD, payload=payload, secrets_key="a-key")
    assert "a-key" not in str(intent.payload)
    assert cluster.methods() == ["GetNetwork", "CreateNetwork", "ConnectNetwork", "CreateInstance"]
    body = cluster.calls[-1][1][0]
    assert body["depends"] == [[101, ["canceled", "error", "success"]]]
    assert body["osparams"]["config_url"] == vmapi.url_for("a-key")
    assert body["nics"] == [
        {
            "name": f"snf-nic-{building.ports.get().pk}",
            "network": f"snf-net-{building.ports.get().network_id}",
            "ip": "10.0.3.7",
        }
    ]
    assert cluster.calls[2][2]["depends"] == [[100, ["canceled", "error", "success"]]]
    building.refresh_from_db()
    assert (building.backendopcode, building.backendjobid) == ("OP_INSTANCE_CREATE", 102)
    assert BackendNetwork.objects.get().mac_prefix == "aa:00:00"


def test_a_refused_creation_leaves_everything_in_error(building, cluster):
    intent = make_intent(building)
    cluster.failure = REFUSED
    submission.submit(intent.pk)
    building.refresh_from_db()
    intent.refresh_from_db()
    assert intent.state == IntentState.FAILED
    assert (building.operstate, building.task) == (ServerState.ERROR, "")
    assert building.ports.get().state == PortState.ERROR
    assert building.volumes.get().status == VolumeStatus.ERROR
    assert building.diagnostics.get().level == "ERROR"


def test_a_refused_start_frees_the_server_and_its_quota(make_server, person, cluster):
    server = make_server(operstate=ServerState.STOPPED)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.task = server.action = Task.START
    server.save()
    assert person.usage("cyclades.cpu") == (server.flavor.cpu, server.flavor.cpu)
    cluster.failure = REFUSED
    submission.submit(make_intent(server, Task.START, "startup").pk)
    server.refresh_from_db()
    assert (server.task, server.serial, server.operstate) == ("", None, ServerState.STOPPED)
    assert person.usage("cyclades.cpu") == (0, 0)


def test_a_refused_connection_leaves_no_port(started, cluster, public_network):
    port = add_port(started, public_network, "10.0.3.7")
    Server.objects.filter(pk=started.pk).update(task=Task.CONNECT)
    payload = requests.connect_port_payload(port)
    cluster.failure = REFUSED
    submission.submit(make_intent(started, Task.CONNECT, payload=payload).pk)
    started.refresh_from_db()
    assert started.task == ""
    assert not started.ports.exists()
    assert not IPAddress.objects.exists()


def test_a_removal_of_what_ganeti_does_not_have_is_done(started, cluster):
    Server.objects.filter(pk=started.pk).update(task=Task.DESTROY)
    cluster.failure = clients.RapiRefused(404, "unknown instance")
    intent = make_intent(started, Task.DESTROY, "delete")
    submission.submit(intent.pk)
    started.refresh_from_db()
    intent.refresh_from_db()
    assert (started.deleted, started.operstate, started.task) == (True, ServerState.DESTROYED, "")
    assert intent.state == IntentState.DONE


def test_an_unavailable_cluster_keeps_the_intent_for_the_repair_task(started, cluster):
    Server.objects.filter(pk=started.pk).update(task=Task.STOP)
    intent = make_intent(started, Task.STOP, "shutdown")
    cluster.failure = UNAVAILABLE
    submission.submit(intent.pk)
    intent.refresh_from_db()
    started.refresh_from_db()
    assert intent.state == IntentState.PENDING
    assert started.task == Task.STOP
    assert intent.not_before < clock.now() + timedelta(seconds=61)
    cluster.failure = None
    due_again(intent)
    repair.run_once()
    intent.refresh_from_db()
    assert (intent.state, intent.attempts) == (IntentState.SUBMITTED, 2)
    assert cluster.methods().count("ShutdownInstance") == 2


def test_a_job_whose_answer_was_lost_is_adopted_not_repeated(started, cluster):
    Server.objects.filter(pk=started.pk).update(task=Task.STOP)
    intent = make_intent(started, Task.STOP, "shutdown")
    cluster.lost_answer = UNKNOWN
    submission.submit(intent.pk)
    intent.refresh_from_db()
    assert intent.state == IntentState.PENDING
    cluster.lost_answer = None
    due_again(intent)
    repair.run_once()
    intent.refresh_from_db()
    started.refresh_from_db()
    assert (intent.state, intent.job_id, started.task_job_id) == (IntentState.SUBMITTED, 100, 100)
    assert cluster.methods().count("ShutdownInstance") == 1


def test_a_claim_keeps_others_away_until_its_lease_ends(started):
    intent = make_intent(started, Task.STOP, "shutdown")
    assert jobs.claim(intent.pk) is not None
    assert jobs.claim(intent.pk) is None
    due_again(intent)
    assert jobs.claim(intent.pk) is not None


def test_a_lease_is_longer_than_one_exchange_with_ganeti(settings):
    settings.RAPI_CONNECT_TIMEOUT, settings.RAPI_READ_TIMEOUT = 5, 30
    assert jobs.lease().total_seconds() == 55
    settings.RAPI_READ_TIMEOUT = 300
    assert jobs.lease().total_seconds() > 10 + 5 + 300


def test_a_slow_preparation_that_was_overtaken_sends_nothing(started, cluster):
    intent = make_intent(started, Task.STOP, "shutdown")

    def overtake(method: str) -> None:
        if method == "GetJobs":
            cluster.before_call = None
            due_again(intent)
            assert jobs.claim(intent.pk) is not None

    JobIntent.objects.filter(pk=intent.pk).update(attempts=1)
    cluster.before_call = overtake
    submission.submit(intent.pk)
    assert "ShutdownInstance" not in cluster.methods()
    assert not jobs.renew(intent)


def test_a_crash_after_the_claim_is_repaired_when_the_lease_ends(started, cluster):
    intent = make_intent(started, Task.STOP, "shutdown")
    jobs.claim(intent.pk)
    repair.run_once()
    assert "ShutdownInstance" not in cluster.methods()
    due_again(intent)
    repair.run_once()
    assert cluster.methods().count("ShutdownInstance") == 1


def test_a_build_whose_job_is_archived_is_finished_by_its_instance(building, cluster):
    intent = make_intent(building, attempts=1, not_before=clock.now() - timedelta(seconds=1))
    cluster.instances[f"snf-{building.pk}"] = {"name": f"snf-{building.pk}"}
    repair.run_once()
    building.refresh_from_db()
    intent.refresh_from_db()
    assert (building.operstate, building.task) == (ServerState.STARTED, "")
    assert intent.state == IntentState.DONE
    assert "CreateInstance" not in cluster.methods()


def test_a_destruction_overtakes_what_was_not_submitted(started):
    earlier = make_intent(started, Task.STOP, "shutdown")
    jobs.intend(server=started, operation=Task.DESTROY, payload=requests.delete_payload())
    earlier.refresh_from_db()
    assert earlier.state == IntentState.FAILED
    assert jobs.claim(earlier.pk) is None


def test_no_row_is_locked_while_ganeti_is_asked(started, cluster, django_capture_on_commit_callbacks):
    from django.db import connection

    depths = []
    cluster.before_call = lambda _: depths.append(len(connection.savepoint_ids))
    outside = len(connection.savepoint_ids)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.intend(server=started, operation=Task.STOP, payload=requests.shutdown_payload())
    assert depths == [outside]


def test_an_offline_backend_waits_without_attempts(started, backend, cluster):
    backend.offline = True
    backend.save()
    intent = make_intent(started, Task.STOP, "shutdown", created=clock.now() - timedelta(hours=1))
    repair.run_once()
    intent.refresh_from_db()
    assert (intent.attempts, cluster.calls) == (0, [])


@pytest.mark.parametrize(
    ("hypervisor", "version", "flag"),
    [
        ("kvm", "3.0.2", {"hotplug_if_possible": True}),
        ("kvm", "3.1.0~rc1", {"hotplug": True}),
        ("fake", "3.0.2", {}),
    ],
)
def test_hotplug_is_asked_for_as_the_version_understands(backend, cluster, hypervisor, version, flag):
    submission._versions.clear()
    backend.hypervisor = hypervisor
    cluster.info["software_version"] = version
    assert submission.hotplug_flag(backend) == flag
