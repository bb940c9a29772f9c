"""What the dispatcher mends by itself, and what it leaves to a person."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from astakos import public as astakos
from astakos.models import Commission
from cyclades.dispatcher.service import Dispatcher
from cyclades.ganeti import clients, names
from cyclades.logic import quota, reconcile_networks, reconcile_servers, upkeep
from cyclades.models import Backend, BackendNetwork, IPPool, Network, Server, ServerState, Subnet, Task
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.db.single_run import single_run
from synnefo.models import AuditRecord
from tests.cyclades.ganeti_fixtures import add_volume, make_intent
from tests.cyclades.test_reconcile_servers import instance_of, job

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def server(make_server, person, cluster) -> Server:
    """A started server, paid for, that was quiet for long and agrees with Ganeti."""
    server = make_server()
    volume = add_volume(server)
    quota.charge_now(person.uuid, quota.server_deltas(server, Task.BUILD, volumes=[volume]), name="create")
    cluster.instances[names.instance_name(server.pk)] = instance_of(server)
    settle()
    return server


def settle() -> None:
    Server.objects.update(updated=clock.now() - timedelta(hours=1))


def run() -> upkeep.Report:
    report = upkeep.run_once()
    assert report is not None
    return report


def test_what_agrees_is_left_alone(server):
    report = run()
    assert not report.changed
    assert not report.left


def test_a_lost_stop_is_noticed_and_charged(server, cluster, person):
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    assert run().mended == {"unsynced": 1}
    server.refresh_from_db()
    assert server.operstate == ServerState.STOPPED
    assert person.usage("cyclades.cpu") == (0, 0)
    assert not run().changed


def test_a_server_that_just_changed_is_left_to_its_events(server, cluster):
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    Server.objects.update(updated=clock.now())
    assert run().left == {"unsynced": 1}


def test_a_server_that_changes_while_it_is_looked_at_is_left_alone(server, cluster):
    """The cluster's clock may be behind ours, so an event that came in between may look older."""
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    view = reconcile_servers.look(server.backend)
    (finding,) = upkeep.choose(view, reconcile_servers.plan(view))
    Server.objects.get(pk=server.pk).save()
    assert reconcile_servers.fix(Credentials.administrator(), finding) == "changed meanwhile"
    server.refresh_from_db()
    assert server.operstate == ServerState.STARTED


def test_what_settles_itself_is_not_counted_as_mended(server, cluster, monkeypatch):
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    monkeypatch.setattr(reconcile_servers, "fix", lambda *_: reconcile_servers.CHANGED)
    report = run()
    assert (report.mended, report.left) == ({}, {"unsynced": 1})


def test_a_task_whose_job_is_gone_is_ended(server, cluster):
    Server.objects.update(task=Task.REBOOT, task_job_id=77)
    job(cluster, 77, "error")
    assert run().mended == {"pending-tasks": 1}
    server.refresh_from_db()
    assert server.task == ""


def test_a_few_servers_without_instance_are_deleted(server, cluster, person):
    cluster.instances.clear()
    assert run().mended == {"stale": 1}
    server.refresh_from_db()
    assert server.deleted
    assert person.usage("cyclades.vm") == (0, 0)


def test_many_servers_without_instance_need_a_person(server, make_server, cluster):
    for _ in range(upkeep.FEW):
        make_server()
    settle()
    cluster.instances.clear()
    assert run().left == {"stale": upkeep.FEW + 1}
    assert not Server.objects.filter(deleted=True).exists()


def test_the_instance_of_a_deleted_server_is_removed(server, cluster):
    Server.objects.update(deleted=True)
    assert run().mended == {"orphans": 1}
    assert "DeleteInstance" in cluster.methods()


@pytest.mark.parametrize("case", ["no row", "just deleted", "removal under way"])
def test_other_orphans_are_left(server, cluster, case):
    if case == "no row":
        cluster.instances["snf-999999"] = {"name": "snf-999999"}
    else:
        Server.objects.update(deleted=True)
        if case == "just deleted":
            Server.objects.update(updated=clock.now())
        else:
            make_intent(server, Task.DESTROY, "delete")
    assert run().left == {"orphans": 1}
    assert "DeleteInstance" not in cluster.methods()


def test_removals_can_be_switched_off(server, cluster, settings):
    settings.DISPATCHER_RECONCILE_REMOVALS = False
    cluster.instances.clear()
    assert run().left == {"stale": 1}


def test_one_round_mends_a_bounded_number(server, make_server, cluster, settings):
    settings.DISPATCHER_RECONCILE_MAX_FIXES = 1
    other = make_server()
    cluster.instances[names.instance_name(other.pk)] = instance_of(other, running=False)
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    settle()
    report = run()
    assert (report.mended["unsynced"], report.left["unsynced"]) == (1, 1)
    settle()
    assert run().mended == {"unsynced": 1}


def test_what_can_not_be_mended_is_not_first_every_time(server, make_server, cluster, settings):
    settings.DISPATCHER_RECONCILE_MAX_FIXES = 1
    other = make_server()
    for one in (server, other):
        cluster.instances[names.instance_name(one.pk)] = instance_of(one, running=False)
    settle()
    view = reconcile_servers.look(server.backend)
    found = reconcile_servers.plan(view)
    first = {finding.server_id for _ in range(100) for finding in upkeep.choose(view, found)}
    assert first == {server.pk, other.pk}


def test_servers_that_can_not_be_mended_keep_no_network_waiting(
    server, public_network, cluster, settings, monkeypatch
):
    def broken(*_values):
        raise ValueError("nobody thought of this")

    settings.DISPATCHER_RECONCILE_MAX_FIXES = 1
    monkeypatch.setattr(reconcile_servers, "fix", broken)
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    Network.objects.update(deleted=True)
    name = names.network_name(public_network.pk)
    cluster.networks[name] = {"name": name, "group_list": []}
    report = run()
    assert (report.failed, report.mended) == (
        {"unsynced": 1},
        {"network unknown or deleted in the database": 1},
    )


def test_a_network_missing_in_ganeti_is_made_and_an_unknown_one_kept(server, public_network, cluster):
    BackendNetwork.objects.create(network=public_network, backend=server.backend, operstate="ACTIVE")
    BackendNetwork.objects.update(updated=clock.now() - timedelta(hours=1))
    cluster.networks["snf-net-999"] = {"name": "snf-net-999", "group_list": []}
    report = run()
    assert report.mended == {"network missing in Ganeti": 1}
    assert report.left == {"network unknown or deleted in the database": 1}
    assert "DeleteNetwork" not in cluster.methods()


def test_many_networks_cost_no_more_queries_than_one(
    public_network, backend, cluster, django_assert_max_num_queries
):
    for number in range(10):
        network = Network.objects.create(name=f"n{number}", state="ACTIVE", mac_prefix="aa:00:0")
        subnet = Subnet.objects.create(network=network, ipversion=4, cidr="10.0.3.0/24", dhcp=True)
        IPPool.objects.create(subnet=subnet, size=200, offset=2)
        BackendNetwork.objects.create(network=network, backend=backend, operstate="ACTIVE")
        name = names.network_name(network.pk)
        cluster.networks[name] = {
            "name": name, "group_list": [["default"]], "external_reservations": "10.0.3.0, 10.0.3.255",
        }  # fmt: skip
    with django_assert_max_num_queries(4):
        assert reconcile_networks.reconcile_backend(backend, choose=lambda finding: False) == []
    cluster.networks[name]["external_reservations"] = "10.0.3.9"
    (found,) = reconcile_networks.reconcile_backend(backend, choose=lambda finding: True)
    assert (found.difference, found.result) == ("addresses reserved in Ganeti only", "mended")


def test_the_network_of_a_deleted_row_is_removed(server, public_network, cluster):
    Network.objects.update(deleted=True)
    name = names.network_name(public_network.pk)
    cluster.networks[name] = {"name": name, "group_list": []}
    assert run().mended == {"network unknown or deleted in the database": 1}
    assert "DeleteNetwork" in cluster.methods()


def test_old_commissions_that_nothing_keeps_are_rejected(server, person):
    serials = [quota.issue_for(person.uuid, {person.uuid: {"cyclades.vm": 1}}, name="n") for _ in range(2)]
    Commission.objects.filter(serial=serials[0]).update(issue_datetime=clock.now() - timedelta(hours=1))
    assert run().mended == {"commission": 1}
    assert astakos.pending_commissions(clientkey="cyclades") == [serials[1]]


def test_a_part_that_fails_keeps_no_other_from_being_looked_after(person, cluster, monkeypatch):
    def broken(**_values):
        raise ValueError("nobody thought of this")

    monkeypatch.setattr(reconcile_networks, "reconcile_states", broken)
    quota.issue_for(person.uuid, {person.uuid: {"cyclades.vm": 1}}, name="n")
    Commission.objects.update(issue_datetime=clock.now() - timedelta(hours=1))
    report = run()
    assert (report.failed, report.mended) == ({"networks": 1}, {"commission": 1})


def test_a_network_that_can_not_be_mended_keeps_no_other_from_it(
    server, public_network, cluster, monkeypatch
):
    other = Network.objects.create(name="other", deleted=True)
    Network.objects.update(deleted=True)
    for network in (public_network, other):
        name = names.network_name(network.pk)
        cluster.networks[name] = {"name": name, "group_list": []}
    delete = reconcile_networks.ganeti_networks.delete_network

    def broken_once(backend, network):
        if network.pk == min(public_network.pk, other.pk):
            raise ValueError("nobody thought of this")
        return delete(backend, network)

    monkeypatch.setattr(reconcile_networks.ganeti_networks, "delete_network", broken_once)
    report = run()
    kind = "network unknown or deleted in the database"
    assert (report.failed, report.mended) == ({kind: 1}, {kind: 1})


def test_a_cluster_that_does_not_answer_is_left_out(server, cluster):
    cluster.failure = clients.RapiUnavailable("away")
    assert run().unreachable == ["cluster.example"]


def test_networks_that_could_not_be_compared_are_not_called_in_sync(server, cluster):
    cluster.failure = clients.RapiUnavailable("away")
    with pytest.raises(CommandError, match="Not everything could be compared"):
        call_command("reconcile-networks")


def test_an_offline_cluster_is_not_asked(server, cluster):
    Backend.objects.update(offline=True)
    run()
    assert cluster.calls == []


def test_only_one_process_is_at_it(server, cluster):
    with single_run("cyclades-upkeep"):
        assert upkeep.run_once() is None


def test_the_dispatcher_runs_it_unless_it_is_switched_off(settings, monkeypatch):
    started = []
    monkeypatch.setattr(threading.Thread, "start", lambda self: started.append(self.name))
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout=None: None)
    for seconds in (600, 0):
        settings.DISPATCHER_RECONCILE_SECONDS = seconds
        dispatcher = Dispatcher()
        dispatcher.stop()
        dispatcher.run()
    assert started == ["repair", "reconcile", "repair"]


def test_what_it_does_is_audited(server, cluster):
    cluster.instances[names.instance_name(server.pk)]["oper_state"] = False
    run()
    assert AuditRecord.objects.get(action="server.reconcile").target == f"server:{server.pk}"
