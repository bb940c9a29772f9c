"""What Ganeti's events do to servers: the whole table, and every order they may arrive in."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cyclades.ganeti import names
from cyclades.ganeti.opcodes import Opcode
from cyclades.logic import quota, server_events
from cyclades.logic.server_events import Outcome
from cyclades.logic.server_table import effect_of
from cyclades.models import (
    Flavor,
    IntentState,
    IPAddress,
    JobIntent,
    Network,
    Port,
    PortState,
    RescueImage,
    Server,
    ServerState,
    ServerTag,
    TagStatus,
    Task,
    Volume,
    VolumeStatus,
)
from synnefo import clock
from synnefo.errors import SynnefoError
from synnefo.messages import InstanceHvparams
from tests.cyclades.ganeti_fixtures import (
    START,
    add_port,
    add_volume,
    disk_of,
    make_intent,
    nic_of,
    op_event,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db]

FAILURES = ("error", "canceled")
STARTED, STOPPED, ERROR, DESTROYED = (
    ServerState.STARTED,
    ServerState.STOPPED,
    ServerState.ERROR,
    ServerState.DESTROYED,
)
#: opcode: (state after success, state after failure); None leaves it (Ganeti contract 9.4).
TABLE = {
    Opcode.INSTANCE_CREATE: (STARTED, ERROR),
    Opcode.INSTANCE_REMOVE: (DESTROYED, None),
    Opcode.INSTANCE_STARTUP: (STARTED, None),
    Opcode.INSTANCE_REBOOT: (STARTED, None),
    Opcode.INSTANCE_SHUTDOWN: (STOPPED, None),
    Opcode.INSTANCE_SET_PARAMS: (None, None),
    Opcode.INSTANCE_GROW_DISK: (None, None),
    Opcode.TAGS_SET: (None, None),
    Opcode.TAGS_DEL: (None, None),
    "OP_INSTANCE_MIGRATE": (None, None),
}


def fresh(server: Server) -> Server:
    return Server.objects.select_related("flavor", "backend").get(pk=server.pk)


def apply(server: Server, event, **kwargs) -> Outcome:
    return server_events.apply(fresh(server), event, **kwargs)


@pytest.mark.parametrize("opcode", list(TABLE))
def test_every_opcode_with_every_end_leaves_the_state_of_the_table(make_server, opcode):
    for status, before in itertools.product(("success", *FAILURES), ServerState):
        server = make_server(operstate=before)
        apply(server, op_event(server, opcode, status))
        after = TABLE[opcode][0 if status == "success" else 1]
        assert fresh(server).operstate == (before if after is None else after), (status, before)


@pytest.mark.parametrize("status", ["success", *FAILURES])
@pytest.mark.parametrize("opcode", list(TABLE))
def test_only_success_and_a_failed_creation_move_the_time(opcode, status):
    about_tags = opcode in (Opcode.TAGS_SET, Opcode.TAGS_DEL)
    expected = (status == "success" or opcode == Opcode.INSTANCE_CREATE) and not about_tags
    assert effect_of(opcode, status).moves_time is expected


@pytest.mark.parametrize("status", ["queued", "waiting", "canceling", "running"])
def test_a_status_that_is_not_final_is_only_recorded(make_server, status):
    server = make_server(task=Task.STOP, task_job_id=100)
    assert apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, status)) == Outcome.RECORDED
    server = fresh(server)
    assert (server.backendjobstatus, server.backendjobid, server.task) == (status, 100, Task.STOP)
    assert (server.operstate, server.backendtime) == (STARTED, None)


def test_an_unknown_status_is_refused(make_server):
    server = make_server()
    with pytest.raises(SynnefoError):
        apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, "cancelled"))


def test_a_build_that_succeeds_shows_ports_disks_and_addresses(building):
    port, volume = building.ports.get(), building.volumes.get()
    Server.objects.filter(pk=building.pk).update(task_job_id=100)
    event = op_event(
        building,
        Opcode.INSTANCE_CREATE,
        instance_nics=(nic_of(port),),
        instance_disks=(disk_of(volume),),
        instance_hvparams=InstanceHvparams(),
    )
    assert apply(building, event) == Outcome.APPLIED
    server, port, volume = fresh(building), Port.objects.get(), Volume.objects.get()
    assert (server.operstate, server.task, server.task_job_id) == (STARTED, "", None)
    assert server.backendtime == START
    assert (port.state, port.index, port.mac) == (PortState.ACTIVE, 0, nic_of(port).mac)
    assert port.firewall_profile == "DISABLED"
    assert volume.status == VolumeStatus.IN_USE
    assert IPAddress.objects.get().address == "10.0.3.7"


def test_a_build_that_fails_takes_ports_and_volumes_along(building):
    ServerTag.objects.create(server=building, tag="cyclades:user:web", status=TagStatus.PENDADD)
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, "error", tags=("cyclades:user:web",)))
    assert fresh(building).operstate == ERROR
    assert building.ports.get().state == PortState.ERROR
    assert building.volumes.get().status == VolumeStatus.ERROR
    assert not ServerTag.objects.exists()


def test_a_removal_frees_addresses_and_volumes(make_server, public_network):
    server = make_server(task=Task.DESTROY, task_job_id=100)
    add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE)
    volume = add_volume(server)
    apply(server, op_event(server, Opcode.INSTANCE_REMOVE))
    server = fresh(server)
    assert (server.deleted, server.operstate, server.task) == (True, DESTROYED, "")
    assert not Port.objects.exists()
    assert not IPAddress.objects.exists()
    volume.refresh_from_db()
    assert (volume.deleted, volume.status, volume.machine_id) == (True, VolumeStatus.DELETED, None)


def test_a_failed_removal_of_what_is_gone_is_a_success(make_server):
    server = make_server(task=Task.DESTROY, task_job_id=100)
    apply(server, op_event(server, Opcode.INSTANCE_REMOVE, "error"), instance_missing=True)
    assert fresh(server).deleted


def test_a_failed_removal_of_what_is_there_ends_only_the_task(make_server):
    server = make_server(task=Task.DESTROY, task_job_id=100)
    apply(server, op_event(server, Opcode.INSTANCE_REMOVE, "error"))
    server = fresh(server)
    assert (server.deleted, server.operstate, server.task) == (False, STARTED, "")


# -- order and repetition ------------------------------------------------------------------------------


def test_a_redelivered_event_changes_nothing(make_server, person):
    server = make_server(operstate=STOPPED, task=Task.START, task_job_id=100)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.save()
    event = op_event(server, Opcode.INSTANCE_STARTUP)
    assert apply(server, event) == Outcome.APPLIED
    used = person.usage("cyclades.cpu")
    assert used == (server.flavor.cpu, 0)
    before = Server.objects.filter(pk=server.pk).values().get()
    assert apply(server, event) == Outcome.STALE
    assert Server.objects.filter(pk=server.pk).values().get() == before
    assert person.usage("cyclades.cpu") == used


def test_an_older_success_does_not_undo_a_newer_one(make_server):
    server = make_server()
    apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, job=101, at=10))
    assert apply(server, op_event(server, Opcode.INSTANCE_STARTUP, job=100, at=5)) == Outcome.STALE
    assert fresh(server).operstate == STOPPED


def test_a_late_success_is_not_lost_behind_an_error(make_server):
    server = make_server()
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, "error", job=101, at=10))
    assert apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, job=100, at=5)) == Outcome.APPLIED
    assert fresh(server).operstate == STOPPED


def test_an_error_that_arrives_late_still_ends_its_task(make_server, person):
    server = make_server(operstate=STOPPED, task=Task.START, task_job_id=100)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.save()
    apply(server, op_event(server, "OP_INSTANCE_MIGRATE", job=101, at=10))
    assert apply(server, op_event(server, Opcode.INSTANCE_STARTUP, "error", job=100, at=5)) == Outcome.STALE
    server = fresh(server)
    assert (server.task, server.task_job_id, server.serial, server.operstate) == ("", None, None, STOPPED)
    assert person.usage("cyclades.cpu") == (0, 0)


def test_what_a_late_success_did_is_charged_once_when_it_is_seen(
    make_server, person, cluster, django_capture_on_commit_callbacks
):
    server = make_server(operstate=STOPPED, task=Task.START, task_job_id=100)
    server.serial = quota.issue(server, quota.server_deltas(server, Task.START), name="start")
    server.save()
    apply(server, op_event(server, "OP_INSTANCE_MIGRATE", job=101, at=10))
    with django_capture_on_commit_callbacks() as callbacks:
        late = op_event(server, Opcode.INSTANCE_STARTUP, job=100, at=5)
        assert apply(server, late) == Outcome.STALE
    assert (fresh(server).task, fresh(server).operstate) == ("", STOPPED)
    assert person.usage("cyclades.cpu") == (0, 0)
    # The instance itself is asked, because the newer event says nothing about its state.
    cluster.instances[names.instance_name(server.pk)] = {"oper_state": True}
    for _ in range(2):
        for callback in callbacks:
            callback()
        assert fresh(server).operstate == STARTED
        assert person.usage("cyclades.cpu") == (server.flavor.cpu, 0)


def test_a_removal_is_the_last_word_whatever_the_clocks_say(make_server):
    server = make_server()
    apply(server, op_event(server, "OP_INSTANCE_MIGRATE", job=101, at=10))
    assert apply(server, op_event(server, Opcode.INSTANCE_REMOVE, job=102, at=5)) == Outcome.APPLIED
    assert fresh(server).deleted


def test_an_old_running_does_not_cover_a_failure(make_server):
    server = make_server()
    apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, "error", at=10))
    assert apply(server, op_event(server, Opcode.INSTANCE_SHUTDOWN, "running", at=5)) == Outcome.STALE
    assert fresh(server).backendjobstatus == "error"


# -- events that are faster than the job id ------------------------------------------------------------


def test_an_event_with_the_request_id_adopts_the_intent(building):
    intent = make_intent(building, attempts=1)
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, "running", request_id=intent.request_id))
    intent.refresh_from_db()
    assert (intent.state, intent.job_id) == (IntentState.SUBMITTED, 100)
    server = fresh(building)
    assert (server.task_job_id, server.backendjobid, server.backendopcode) == (100, 100, "OP_INSTANCE_CREATE")


def test_the_final_event_of_an_unmatched_intent_ends_everything(building):
    intent = make_intent(building, attempts=1)
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, request_id=intent.request_id))
    intent.refresh_from_db()
    assert (intent.state, fresh(building).task) == (IntentState.DONE, "")


def test_an_event_of_another_request_adopts_nothing(building):
    intent = make_intent(building, attempts=1)
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, "running", request_id="req-of-somebody"))
    intent.refresh_from_db()
    assert intent.state == IntentState.PENDING


def test_an_event_without_request_id_adopts_by_an_opcode_that_says_all(building):
    intent = make_intent(building, attempts=1)
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, "running"))
    intent.refresh_from_db()
    assert intent.job_id == 100


def test_an_event_without_request_id_does_not_adopt_a_modification(make_server):
    server = make_server(task=Task.CONNECT)
    intent = make_intent(server, Task.CONNECT, "modify", attempts=1)
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, "running"))
    intent.refresh_from_db()
    assert intent.job_id is None


def test_a_job_older_than_the_last_one_is_not_adopted(make_server):
    server = make_server(task=Task.START, backendjobid=200)
    intent = make_intent(server, Task.START, "startup", attempts=1)
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, "error", job=150))
    intent.refresh_from_db()
    assert intent.job_id is None


# -- quota ---------------------------------------------------------------------------------------------


@pytest.fixture
def charged(make_server, person):
    """A started server that is paid for."""
    server = make_server()
    add_volume(server)
    deltas = quota.server_deltas(server, Task.BUILD, volumes=list(server.volumes.all()))
    quota.charge_now(person.uuid, deltas, name="create")
    return server


def test_a_stop_by_an_administrator_is_charged_as_observed(charged, person):
    apply(charged, op_event(charged, Opcode.INSTANCE_SHUTDOWN))
    assert person.usage("cyclades.cpu") == (0, 0)
    assert person.usage("cyclades.vm") == (1, 0)


def test_a_foreign_change_makes_the_waiting_commission_out_of_date(charged, person):
    charged.task, charged.task_job_id = Task.DESTROY, 101
    charged.serial = quota.issue(charged, quota.server_deltas(charged, Task.DESTROY), name="d", force=True)
    charged.save()
    apply(charged, op_event(charged, Opcode.INSTANCE_SHUTDOWN, job=100, at=1))
    assert fresh(charged).serial is None
    apply(charged, op_event(charged, Opcode.INSTANCE_REMOVE, job=101, at=2))
    for resource in ("cyclades.vm", "cyclades.cpu", "cyclades.total_cpu", "cyclades.disk", "cyclades.ram"):
        assert person.usage(resource) == (0, 0), resource


def test_a_resize_by_an_administrator_changes_flavor_and_quota(charged, person, bigger_flavor):
    beparams = {"vcpus": bigger_flavor.cpu, "maxmem": bigger_flavor.ram, "minmem": bigger_flavor.ram}
    event = op_event(charged, Opcode.INSTANCE_SET_PARAMS, job_fields={"beparams": beparams})
    apply(charged, event)
    assert fresh(charged).flavor == bigger_flavor
    assert person.usage("cyclades.total_cpu") == (bigger_flavor.cpu, 0)
    assert person.usage("cyclades.cpu") == (bigger_flavor.cpu, 0)


def test_a_resize_to_an_unknown_flavor_is_kept_aside(charged):
    event = op_event(charged, Opcode.INSTANCE_SET_PARAMS, job_fields={"beparams": {"vcpus": 31}})
    with pytest.raises(SynnefoError, match="no flavor"):
        apply(charged, event)


def test_a_grown_disk_is_charged_and_changes_the_flavor(charged, person):
    bigger = Flavor.objects.create(
        cpu=charged.flavor.cpu, ram=charged.flavor.ram, disk=40, volume_type=charged.flavor.volume_type
    )
    volume = charged.volumes.get()
    apply(charged, op_event(charged, Opcode.INSTANCE_GROW_DISK, instance_disks=(disk_of(volume, 40),)))
    assert fresh(charged).flavor == bigger
    assert Volume.objects.get().size == 40
    assert person.usage("cyclades.disk") == (40 << 30, 0)


def test_a_change_that_quota_can_not_hold_is_applied_all_the_same(make_server):
    server = make_server()
    apply(server, op_event(server, Opcode.INSTANCE_REMOVE))
    assert fresh(server).deleted


# -- NICs ----------------------------------------------------------------------------------------------


def test_a_nic_removed_in_ganeti_is_deleted_with_its_address(make_server, public_network):
    server = make_server()
    add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE)
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, instance_nics=()))
    assert not Port.objects.exists()
    assert not IPAddress.objects.exists()


def test_a_young_port_that_ganeti_does_not_know_yet_stays(make_server, public_network):
    server = make_server()
    add_port(server, public_network, state=PortState.BUILD)
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, instance_nics=()))
    assert Port.objects.exists()


@pytest.mark.parametrize(("task", "stays"), [(Task.CONNECT, True), ("", False)])
def test_an_old_building_port_goes_unless_it_is_being_connected(make_server, public_network, task, stays):
    server = make_server(task=task, task_job_id=77 if task else None)
    port = add_port(server, public_network, state=PortState.BUILD)
    Port.objects.filter(pk=port.pk).update(created=clock.now() - timedelta(seconds=61))
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=()))
    assert Port.objects.exists() is stays


def test_a_connection_that_failed_leaves_no_port(make_server, public_network):
    server = make_server(task=Task.CONNECT, task_job_id=100)
    add_port(server, public_network, "10.0.3.7", state=PortState.BUILD)
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, "error", instance_nics=()))
    assert not Port.objects.exists()
    assert fresh(server).task == ""


def test_a_nic_in_an_unknown_network_leaves_all_ports_alone(make_server, public_network):
    server = make_server()
    port = add_port(server, public_network, state=PortState.ACTIVE)
    event = op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=(nic_of(port, network="made-by-hand"),))
    apply(server, event)
    assert Port.objects.get().mac is None
    assert fresh(server).operstate == STARTED


def test_a_port_follows_its_nic_to_another_network(make_server, public_network):
    server = make_server()
    port = add_port(server, public_network, state=PortState.ACTIVE, public=True)
    private = Network.objects.create(name="n", flavor="CUSTOM", mac_prefix="aa:00:0", state="ACTIVE")
    nic = nic_of(port, network=names.network_name(private.pk))
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=(nic,)))
    port.refresh_from_db()
    assert (port.network_id, port.public) == (private.pk, False)


def test_a_nic_named_by_hand_is_ignored(make_server, public_network):
    server = make_server()
    port = add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE)
    nics = (nic_of(port, ip="10.0.3.8", name="eth-by-hand"), nic_of(port))
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=nics))
    assert Port.objects.get().index == 1
    assert IPAddress.objects.get().address == "10.0.3.7"


def test_a_changed_address_is_taken_over(make_server, public_network):
    server = make_server()
    port = add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE)
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=(nic_of(port, ip="10.0.3.9"),)))
    assert IPAddress.objects.get().address == "10.0.3.9"


def test_an_address_removed_in_ganeti_is_released_only(make_server, public_network):
    server = make_server()
    port = add_port(server, public_network, "10.0.3.7", state=PortState.ACTIVE)
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=(nic_of(port, ip=None),)))
    assert not IPAddress.objects.exists()


@pytest.mark.parametrize(
    ("word", "profile"),
    [("protected", "ENABLED"), ("limited", "PROTECTED"), ("unprotected", "DISABLED"), (None, "DISABLED")],
)
def test_the_firewall_tag_becomes_the_profile(make_server, public_network, word, profile):
    server = make_server()
    port = add_port(server, public_network, state=PortState.ACTIVE)
    nics = (nic_of(port, ip=None, firewall=word),)
    apply(server, op_event(server, Opcode.INSTANCE_STARTUP, instance_nics=nics))
    assert Port.objects.get().firewall_profile == profile


def test_holdings_are_locked_before_address_pools(charged, public_network, settings):
    settings.DATABASE_PREPARED_STATEMENTS = False  # so that statements show their tables
    port = add_port(charged, public_network, "10.0.3.7", state=PortState.ACTIVE)
    event = op_event(charged, Opcode.INSTANCE_SHUTDOWN, instance_nics=(nic_of(port, ip="10.0.3.9"),))
    with CaptureQueriesContext(connection) as queries:
        apply(charged, event)
    texts = [query["sql"] for query in queries]
    holdings = [n for n, text in enumerate(texts) if "astakos_holding" in text]
    pools = [n for n, text in enumerate(texts) if "cyclades_ippool" in text]
    assert holdings
    assert pools
    assert max(holdings) < min(pools)


# -- other parts of a message --------------------------------------------------------------------------


def test_null_and_odd_values_do_no_harm(make_server):
    server = make_server()
    for number, (logmsg, result) in enumerate([(None, None), ({"a": 1}, "killed"), ([1], ["x"])]):
        event = op_event(
            server, Opcode.INSTANCE_REBOOT, at=number, job=100 + number, logmsg=logmsg, result=result
        )
        assert apply(server, event) == Outcome.APPLIED


def test_the_image_of_a_rescue_that_failed_is_free_again(make_server):
    image = RescueImage.objects.create(name="r", location="r.iso", location_type="file")
    server = make_server(operstate=ServerState.STOPPED, task=Task.RESCUE, task_job_id=100, rescue_image=image)
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, "error"))
    assert (fresh(server).task, fresh(server).rescue_image) == ("", None)


def test_a_rescue_boot_is_recognised(make_server):
    server = make_server()
    hvparams = InstanceHvparams(boot_order="cdrom,disk", cdrom_image_path="/rescue.iso")
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, instance_hvparams=hvparams))
    assert fresh(server).rescue


def test_tags_follow_their_jobs(make_server):
    server = make_server()
    ServerTag.objects.create(server=server, tag="cyclades:user:a b", status=TagStatus.PENDADD)
    apply(server, op_event(server, Opcode.TAGS_SET, tags=("cyclades:user:a+b", "foreign"), at=1))
    assert ServerTag.objects.get().status == TagStatus.ACTIVE
    apply(server, op_event(server, Opcode.TAGS_DEL, "error", tags=("cyclades:user:gone",), at=2))
    assert ServerTag.objects.filter(tag="cyclades:user:gone", status=TagStatus.ACTIVE).exists()
    apply(server, op_event(server, Opcode.TAGS_DEL, tags=("cyclades:user:a+b",), at=3))
    assert not ServerTag.objects.filter(tag="cyclades:user:a b").exists()


def test_a_build_that_found_all_nodes_busy_is_asked_again_once(building):
    payload = {"action": "create", "body": {"opportunistic_locking": True, "name": "x"}}
    first = make_intent(building, payload=payload, state=IntentState.SUBMITTED, job_id=100)
    Server.objects.filter(pk=building.pk).update(task_job_id=100, backendjobid=100)
    result = ["OpPrereqError", ["busy", "temp_insufficient_resources"]]
    event = op_event(building, Opcode.INSTANCE_CREATE, "error", result=result)
    assert apply(building, event) == Outcome.RESUBMITTED
    assert apply(building, event) == Outcome.STALE
    server = fresh(building)
    assert (server.operstate, server.task, server.task_job_id) == (ServerState.BUILD, Task.BUILD, None)
    again = JobIntent.objects.exclude(pk=first.pk).get()
    assert again.payload["body"]["opportunistic_locking"] is False


def test_the_second_busy_answer_is_final(building):
    payload = {"action": "create", "body": {"opportunistic_locking": False}}
    make_intent(building, payload=payload, state=IntentState.SUBMITTED, job_id=100)
    Server.objects.filter(pk=building.pk).update(task_job_id=100, backendjobid=100)
    result = ["OpPrereqError", ["busy", "temp_insufficient_resources"]]
    apply(building, op_event(building, Opcode.INSTANCE_CREATE, "error", result=result))
    assert fresh(building).operstate == ERROR


@pytest.mark.parametrize(
    ("fields", "result", "said"),
    [
        (
            {"disks": [["add", "-1", {"name": "snf-vol-7", "size": 1024}]]},
            [["disk/1", "add:size=1024,mode=rw"], ["disk/1", "hotplug:failed"]],
            "does not see the new volume 7",
        ),
        (
            {"disks": [["modify", "snf-vol-7", {"keep_data": "True"}], ["remove", "snf-vol-7", {}]]},
            [["disk/1", "remove"], ["disk/1", "hotplug:failed"]],
            "may still hold the removed volume 7",
        ),
        (
            {"nics": [["add", "-1", {"name": "snf-nic-9"}]], "disks": []},
            [["nic.1", "add:mac=aa:00:00:00:00:01"], ["nic.1", "hotplug:failed"]],
            "does not see the new port 9",
        ),
        (
            {"nics": [["remove", "snf-nic-9", {}]]},
            [["NIC/1", "remove"], ["NIC/1", "hotplug:failed"]],
            "may still hold the removed port 9",
        ),
    ],
)
def test_a_device_that_the_running_guest_did_not_get_is_reported(make_server, caplog, fields, result, said):
    server = make_server()
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, job_fields=fields, result=result))
    found = server.diagnostics.get()
    assert (found.source, found.level) == ("hotplug", "WARNING")
    assert said in found.message
    assert "the log of job 100 of cluster.example says why" in caplog.text


def test_a_removed_device_is_named_as_it_was_asked_for(make_server):
    server = make_server(task=Task.DETACH_VOLUME, task_job_id=100)
    body = {"disks": [["modify", "snf-vol-7", {"keep_data": "True"}], ["remove", "snf-vol-7", {}]]}
    payload = {"action": "modify", "body": body}
    make_intent(server, Task.DETACH_VOLUME, job_id=100, state=IntentState.SUBMITTED, payload=payload)
    fields = {"disks": [["modify", 1, {"keep_data": "True"}], ["remove", 1, {}]]}
    result = [["disk/1", "remove"], ["disk/1", "hotplug:failed"]]
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, job_fields=fields, result=result))
    assert "the removed volume 7" in server.diagnostics.get().message


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ("success", [["disk/1", "hotplug:done"]]),
        ("error", [["disk/1", "hotplug:failed"]]),
        ("success", None),
        ("success", "hotplug:failed"),
        ("success", [["hotplug:failed"], ["be/disk", "hotplug:failed"], [None, "hotplug:failed"]]),
    ],
)
def test_other_results_of_a_change_are_not_taken_for_failed_hotplug(make_server, status, result):
    server = make_server()
    fields = {"disks": [["add", "-1", {"name": "snf-vol-7"}]]}
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, status, job_fields=fields, result=result))
    assert not server.diagnostics.exists()


def test_odd_fields_of_a_failed_hotplug_do_no_harm(make_server):
    server = make_server()
    fields = {"disks": [None, ["add"], ["add", -1, None], ["remove", 1, {}], ["move", "x", {}]]}
    result = [["disk/1", "hotplug:failed"]]
    apply(server, op_event(server, Opcode.INSTANCE_SET_PARAMS, job_fields=fields, result=result))
    assert {found.message.partition(".")[0] for found in server.diagnostics.all()} == {
        "The running system does not see the new volume yet",
        "The running system may still hold the removed volume",
    }
