"""Every class of difference between servers and Ganeti: reported, mended, and gone the second time."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from cyclades.ganeti import names, repair
from cyclades.logic import quota, reconcile_servers
from cyclades.models import (
    Backend,
    Flavor,
    IntentState,
    JobIntent,
    PortState,
    Server,
    ServerState,
    ServerTag,
    TagStatus,
    Task,
    VolumeStatus,
)
from synnefo import clock
from tests.cyclades.ganeti_fixtures import START, add_port, add_volume, make_intent

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def reconcile(capsys, *flags: str) -> dict[str, dict[str, str]]:
    """Run the command; return what it prints, by kind of difference."""
    call_command("reconcile-servers", *flags, "--parallel", "False", "--output-format", "json")
    return {row["difference"]: row for row in json.loads(capsys.readouterr().out)}


def instance_of(server: Server, *, running: bool = True, **values) -> dict:
    """An instance that looks exactly like *server*."""
    ports, volumes = list(server.ports.all()), list(server.volumes.filter(deleted=False))
    instance = {
        "name": names.instance_name(server.pk),
        "oper_state": running,
        "beparams": {"vcpus": server.flavor.cpu, "maxmem": server.flavor.ram, "minmem": server.flavor.ram},
        "hvparams": {},
        "tags": [],
        "nic.names": [names.nic_name(port.pk) for port in ports],
        "nic.networks.names": [names.network_name(port.network_id) for port in ports],
        "nic.ips": [port.ips.get().address if port.ips.exists() else None for port in ports],
        "nic.macs": [port.mac for port in ports],
        "nic.modes": [],
        "nic.links": [],
        "nic.uuids": [],
        "disk.names": [names.disk_name(volume.pk) for volume in volumes],
        "disk.sizes": [volume.size * 1024 for volume in volumes],
        "disk.uuids": ["u" for _ in volumes],
    }
    return instance | values


@pytest.fixture
def server(make_server, public_network, person) -> Server:
    """A started server, paid for, that agrees with Ganeti."""
    server = make_server()
    add_port(
        server,
        public_network,
        "10.0.3.7",
        state=PortState.ACTIVE,
        index=0,
        mac="aa:00:00:00:00:01",
        firewall_profile="DISABLED",
    )
    volume = add_volume(server)
    quota.charge_now(person.uuid, quota.server_deltas(server, Task.BUILD, volumes=[volume]), name="create")
    return server


@pytest.fixture
def present(server, cluster) -> dict:
    """The instance of *server*; change it to make a difference."""
    instance = instance_of(server)
    cluster.instances[instance["name"]] = instance
    return instance


def job(cluster, job_id: int, status: str, **values) -> None:
    cluster.jobs[job_id] = {
        "id": job_id,
        "status": status,
        "opstatus": [status],
        "ops": [{"OP_ID": "OP_INSTANCE_SHUTDOWN"}],
        "received_ts": [int(START.timestamp()), 0],
        "end_ts": [int(START.timestamp()), 0],
    } | values


def test_what_agrees_is_not_reported(server, present, capsys):
    assert reconcile(capsys) == {}


def test_a_server_without_instance_is_stale(server, cluster, person, capsys):
    assert "stale" in reconcile(capsys)
    server.refresh_from_db()
    assert not server.deleted
    assert reconcile(capsys, "--fix-stale")["stale"]["result"] == "mended"
    server.refresh_from_db()
    assert server.deleted
    assert person.usage("cyclades.vm") == (0, 0)
    assert reconcile(capsys, "--fix-all") == {}


def test_a_failed_server_without_instance_is_left_to_its_owner(server, cluster, capsys):
    Server.objects.update(operstate=ServerState.ERROR)
    assert reconcile(capsys, "--fix-all") == {}


def test_an_orphan_is_removed(server, present, cluster, capsys):
    cluster.instances["snf-999999"] = {"name": "snf-999999"}
    cluster.instances["web1.example.org"] = {"name": "web1.example.org"}
    assert "DeleteInstance" not in cluster.methods()
    assert reconcile(capsys)["orphans"]["instance"] == "snf-999999"
    reconcile(capsys, "--fix-orphans")
    assert [call[1] for call in cluster.calls if call[0] == "DeleteInstance"] == [("snf-999999",)]


def test_a_server_created_meanwhile_is_no_orphan(server, cluster, make_server, capsys):
    created: list[Server] = []

    def create(method: str) -> None:
        if method == "GetInstances" and not created:
            created.append(make_server())
            cluster.instances[f"snf-{created[0].pk}"] = instance_of(created[0])

    cluster.before_call = create
    row = reconcile(capsys, "--fix-orphans")["orphans"]
    assert "created meanwhile" in row["result"]
    assert "DeleteInstance" not in cluster.methods()


def test_a_build_whose_job_failed_is_an_error(building, cluster, capsys):
    Server.objects.update(backendjobid=7, task_job_id=7)
    job(cluster, 7, "error")
    assert "build error" in reconcile(capsys)
    reconcile(capsys, "--fix-unsynced")
    building.refresh_from_db()
    assert building.operstate == ServerState.ERROR


def test_a_build_under_way_is_left_alone(building, cluster, capsys):
    Server.objects.update(backendjobid=7, task_job_id=7)
    job(cluster, 7, "running")
    assert reconcile(capsys, "--fix-all")["building"]["result"] == ""
    building.refresh_from_db()
    assert building.operstate == ServerState.BUILD


def test_a_build_that_waits_for_long_is_pointed_out(building, cluster, capsys):
    Server.objects.update(backendjobid=7, task_job_id=7)
    job(cluster, 7, "waiting")
    assert "30 minutes" in reconcile(capsys)["building"]["what"]


def test_a_build_that_was_not_submitted_yet_is_left_alone(building, cluster, capsys):
    make_intent(building)
    assert "not submitted yet" in reconcile(capsys, "--fix-all")["building"]["what"]
    building.refresh_from_db()
    assert building.operstate == ServerState.BUILD


def test_a_built_server_whose_job_is_archived_is_built(building, cluster, capsys):
    cluster.instances[f"snf-{building.pk}"] = instance_of(
        building, running=False, **{"nic.macs": ["aa:00:00:00:00:01"]}
    )
    reconcile(capsys, "--fix-unsynced", "--fix-pending-tasks")
    building.refresh_from_db()
    assert (building.operstate, building.task) == (ServerState.STOPPED, "")
    assert building.ports.get().state == PortState.ACTIVE
    assert building.volumes.get().status == VolumeStatus.IN_USE


def test_a_stopped_instance_stops_its_server_and_its_charges(server, present, person, capsys):
    present["oper_state"] = False
    assert "unsynced" in reconcile(capsys)
    reconcile(capsys, "--fix-unsynced")
    server.refresh_from_db()
    assert server.operstate == ServerState.STOPPED
    assert person.usage("cyclades.cpu") == (0, 0)
    assert reconcile(capsys, "--fix-all") == {}


def test_a_cluster_whose_clock_runs_ahead_is_mended_too(server, present, person, capsys):
    Server.objects.update(backendtime=clock.now() + timedelta(hours=1))
    present["oper_state"] = False
    assert reconcile(capsys, "--fix-unsynced")["unsynced"]["result"] == "mended"
    server.refresh_from_db()
    assert server.operstate == ServerState.STOPPED
    assert reconcile(capsys, "--fix-all") == {}


def test_a_resized_instance_changes_the_flavor(server, present, bigger_flavor, person, capsys):
    present["beparams"] = {"vcpus": bigger_flavor.cpu, "maxmem": bigger_flavor.ram}
    reconcile(capsys, "--fix-unsynced-flavors")
    server.refresh_from_db()
    assert server.flavor == bigger_flavor
    assert person.usage("cyclades.total_cpu") == (bigger_flavor.cpu, 0)
    assert reconcile(capsys, "--fix-all") == {}


def test_a_size_without_flavor_is_only_reported(server, present, capsys):
    present["beparams"]["vcpus"] = 31
    row = reconcile(capsys, "--fix-all")["unsynced-flavors"]
    assert "no flavor" in row["what"]
    assert row["result"] == ""


def test_a_missing_nic_is_mended(server, present, capsys):
    for column in [name for name in present if name.startswith("nic.")]:
        present[column] = []
    reconcile(capsys, "--fix-unsynced-nics")
    assert not server.ports.exists()
    assert reconcile(capsys, "--fix-all") == {}


def test_a_changed_address_is_mended(server, present, capsys):
    present["nic.ips"] = ["10.0.3.9"]
    reconcile(capsys, "--fix-unsynced-nics")
    assert server.ports.get().ips.get().address == "10.0.3.9"
    assert reconcile(capsys, "--fix-all") == {}


def test_a_port_made_just_now_is_not_missed(server, present, public_network, capsys):
    add_port(server, public_network, "10.0.3.8")
    assert reconcile(capsys) == {}


def test_a_grown_disk_is_mended(server, present, person, capsys):
    Flavor.objects.create(
        cpu=server.flavor.cpu, ram=server.flavor.ram, disk=40, volume_type=server.flavor.volume_type
    )
    present["disk.sizes"] = [40 * 1024]
    assert {"unsynced-disks", "unsynced-flavors"} == set(reconcile(capsys))
    reconcile(capsys, "--fix-unsynced-disks")
    server.refresh_from_db()
    assert server.flavor.disk == 40
    assert person.usage("cyclades.disk") == (40 << 30, 0)
    assert reconcile(capsys, "--fix-all") == {}


def test_tags_are_taken_over_in_both_directions(server, present, capsys):
    ServerTag.objects.create(server=server, tag="cyclades:user:old", status=TagStatus.ACTIVE)
    ServerTag.objects.create(server=server, tag="cyclades:user:young", status=TagStatus.PENDADD)
    present["tags"] = ["cyclades:user:a+b", "synnefo:network:x:protected"]
    reconcile(capsys, "--fix-unsynced-tags")
    assert set(server.tags.values_list("tag", flat=True)) == {"cyclades:user:a b", "cyclades:user:young"}
    assert reconcile(capsys, "--fix-all") == {}


def test_a_rescue_boot_is_mended(server, present, capsys):
    present["hvparams"] = {"boot_order": "cdrom", "cdrom_image_path": "/rescue.iso"}
    reconcile(capsys, "--fix-unsynced-rescue")
    server.refresh_from_db()
    assert server.rescue


def test_a_task_whose_job_ended_unnoticed_is_ended(server, present, cluster, person, capsys):
    Server.objects.update(task=Task.STOP, task_job_id=7)
    present["oper_state"] = False
    job(cluster, 7, "success")
    reconcile(capsys, "--fix-pending-tasks")
    server.refresh_from_db()
    assert (server.task, server.operstate) == ("", ServerState.STOPPED)
    assert person.usage("cyclades.cpu") == (0, 0)


@pytest.mark.parametrize("flags", [("--fix-pending-tasks",), ("--fix-all",)])
def test_a_device_that_the_guest_did_not_get_is_reported_though_nobody_heard_of_the_job(
    server, present, cluster, capsys, flags
):
    added = add_volume(server, index=1)
    instance = instance_of(server)
    cluster.instances[instance["name"]] = instance
    # What the list of disks shows is mended first, which makes the job's end look old.
    instance["disk.sizes"][0] += 1024
    Server.objects.update(task=Task.ATTACH_VOLUME, task_job_id=7)
    disks = [["add", "-1", {"name": names.disk_name(added.pk)}]]
    result = [["disk/1", "add"], ["disk/1", "hotplug:failed"]]
    operation = {"OP_ID": "OP_INSTANCE_SET_PARAMS", "disks": disks}
    job(cluster, 7, "success", ops=[operation], opresult=[result])
    reconcile(capsys, *flags)
    assert f"does not see the new volume {added.pk}" in server.diagnostics.get().message
    assert Server.objects.get().task == ""


def test_an_import_between_two_jobs_is_not_given_up(server, cluster, capsys):
    Server.objects.update(
        operstate=ServerState.BUILD, backendopcode="OP_INSTANCE_RENAME", backendjobid=7, updated=clock.now()
    )
    job(cluster, 7, "success")
    assert set(reconcile(capsys, "--fix-all")) == {"building"}
    Server.objects.update(updated=clock.now() - timedelta(minutes=5))
    assert set(reconcile(capsys)) == {"stale"}


def test_a_task_whose_job_vanished_is_ended_and_its_commission_rejected(server, present, person, capsys):
    server.operstate = ServerState.STOPPED
    server.save()
    quota.charge_now(person.uuid, {person.uuid: {"cyclades.cpu": -2, "cyclades.ram": -1 << 30}}, name="stop")
    present["oper_state"] = False
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.task, server.task_job_id = Task.START, 7
    server.save()
    reconcile(capsys, "--fix-pending-tasks")
    server.refresh_from_db()
    assert (server.task, server.serial, server.operstate) == ("", None, ServerState.STOPPED)
    assert person.usage("cyclades.cpu") == (0, 0)


def test_a_task_under_way_hides_what_its_event_will_settle(server, present, cluster, capsys):
    Server.objects.update(task=Task.STOP, task_job_id=7)
    present["oper_state"] = False
    job(cluster, 7, "running")
    assert reconcile(capsys, "--fix-all") == {}


# -- the repair task: events that never came -----------------------------------------------------------


def overdue(server: Server, operation: str, action: str) -> JobIntent:
    intent = make_intent(server, operation, action, state=IntentState.SUBMITTED, job_id=7)
    JobIntent.objects.filter(pk=intent.pk).update(updated=clock.now() - timedelta(minutes=2))
    Server.objects.filter(pk=server.pk).update(task=operation, task_job_id=7)
    return intent


def test_a_lost_event_is_replayed_from_the_job(server, present, cluster):
    intent = overdue(server, Task.STOP, "shutdown")
    job(cluster, 7, "success")
    assert repair.run_once().replayed == 1
    server.refresh_from_db()
    intent.refresh_from_db()
    assert (server.operstate, server.task, intent.state) == (ServerState.STOPPED, "", IntentState.DONE)
    assert server.backendtime == START
    assert repair.run_once().replayed == 0


@pytest.mark.parametrize("status", ["error", "canceled"])
def test_a_connection_that_came_to_nothing_unnoticed_leaves_no_port(
    server, present, cluster, public_network, status
):
    port = add_port(server, public_network, "10.0.3.8")
    overdue(server, Task.CONNECT, "modify")
    job(cluster, 7, status, ops=[{"OP_ID": "OP_INSTANCE_SET_PARAMS"}])
    assert repair.run_once().replayed == 1
    server.refresh_from_db()
    assert (server.task, server.ports.filter(pk=port.pk).exists()) == ("", False)


def test_a_job_that_still_runs_is_looked_at_again_later(server, present, cluster):
    overdue(server, Task.STOP, "shutdown")
    job(cluster, 7, "running")
    repair.run_once()
    assert repair.run_once().changed is False
    server.refresh_from_db()
    assert server.task == Task.STOP


def test_a_vanished_job_is_judged_by_its_instance(server, present, cluster):
    intent = overdue(server, Task.STOP, "shutdown")
    present["oper_state"] = False
    assert repair.run_once().vanished == 1
    server.refresh_from_db()
    intent.refresh_from_db()
    assert (server.operstate, server.task, intent.state) == (ServerState.STOPPED, "", IntentState.DONE)


def test_a_build_that_vanished_without_instance_failed(building, cluster):
    overdue(building, Task.BUILD, "create")
    repair.run_once()
    building.refresh_from_db()
    assert (building.operstate, building.task) == (ServerState.ERROR, "")


def test_a_removal_that_vanished_with_its_instance_is_done(server, cluster, person):
    overdue(server, Task.DESTROY, "delete")
    repair.run_once()
    server.refresh_from_db()
    assert server.deleted
    assert person.usage("cyclades.vm") == (0, 0)


def test_a_vanished_job_beside_the_servers_task_leaves_the_task_alone(server, present, cluster):
    intent = overdue(server, "TAGS_ADD", "tags-add")
    Server.objects.update(task=Task.STOP, task_job_id=8)
    repair.run_once()
    server.refresh_from_db()
    intent.refresh_from_db()
    assert (server.task, server.task_job_id, intent.state) == (Task.STOP, 8, IntentState.DONE)


def test_an_intent_that_can_not_be_dealt_with_keeps_no_other_waiting(
    server, make_server, present, cluster, monkeypatch
):
    bad = overdue(server, Task.STOP, "shutdown")
    other = make_server()
    good = overdue(other, Task.STOP, "shutdown")
    JobIntent.objects.filter(pk=good.pk).update(job_id=9)
    Server.objects.filter(pk=other.pk).update(task_job_id=9)
    job(cluster, 7, "success")
    job(cluster, 9, "success")
    event_of = repair.observation.event_of

    def broken(job, **values):
        if job["id"] == 7:
            raise ValueError("nobody thought of this")
        return event_of(job, **values)

    monkeypatch.setattr(repair.observation, "event_of", broken)
    repair.run_once()
    other.refresh_from_db()
    bad.refresh_from_db()
    assert (other.task, other.operstate) == ("", ServerState.STOPPED)
    assert bad.last_error == "ValueError: nobody thought of this"


@pytest.mark.parametrize("broken", ["password", "answer"])
def test_a_cluster_that_can_not_be_dealt_with_keeps_no_other_waiting(
    server, make_server, backend, cluster, monkeypatch, broken
):
    bad = make_intent(server, Task.STOP, "shutdown", request_id="bad", attempts=1)
    other = Backend.objects.create(clustername="z.example", index=1, updated=clock.now())
    good = make_intent(make_server(backend=other), Task.STOP, "shutdown", request_id="good")
    JobIntent.objects.update(created=clock.now() - timedelta(hours=1))
    if broken == "password":
        Backend.objects.filter(pk=backend.pk).update(password_hash="v2:AAAA")
    else:
        monkeypatch.setattr(cluster, "GetJobs", lambda bulk: [{"ops": [{"reason": [["x", "y", 1]]}]}])
    assert repair.run_once().unreachable == 1
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, bad.state) == (IntentState.SUBMITTED, IntentState.PENDING)


def test_jobs_are_read_before_what_they_did(backend, cluster):
    reconcile_servers.look(backend)
    assert cluster.methods() == ["GetJobs", "GetInstances"]


def test_old_intents_are_forgotten(server, cluster):
    intent = make_intent(server, Task.STOP, "shutdown", state=IntentState.DONE)
    JobIntent.objects.filter(pk=intent.pk).update(updated=clock.now() - timedelta(days=8))
    repair.run_once()
    assert not JobIntent.objects.exists()


def test_stale_figures_of_a_backend_are_read_again(backend, cluster):
    backend.updated = clock.now() - timedelta(hours=1)
    backend.save()
    node = {"vm_capable": True, "drained": False, "offline": False, "cnodes": 1}
    cluster.nodes = [
        node | {"mfree": 10, "mtotal": 20, "dfree": None, "dtotal": 40, "pinst_cnt": 3, "ctotal": 4},
        node | {"mfree": 99, "drained": True},
        node | {"mfree": 99, "offline": True},
        node | {"mfree": 99, "cnodes": 0},
    ]
    repair.run_once()
    backend.refresh_from_db()
    assert (backend.mfree, backend.mtotal, backend.dfree, backend.ctotal) == (10, 20, 0, 4)
