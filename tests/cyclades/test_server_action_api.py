"""Actions over HTTP: dispatch, jobs and quota that waits for their outcome (compute contract 7)."""

from __future__ import annotations

import pytest

from cyclades.api.compute.actions import ACTIONS
from cyclades.api.compute.nova_actions import NOT_OFFERED
from cyclades.logic import quota
from cyclades.models import JobIntent, ServerState, Task

pytestmark = [pytest.mark.db, pytest.mark.usefixtures("submitted")]

STOPPED, STARTED = ServerState.STOPPED, ServerState.STARTED


@pytest.fixture
def make_charged(make_server):
    """Servers whose quota is charged as if they had been created and reached their state."""

    def make(**values):
        server = make_server(**values)
        released = quota.server_deltas(server, Task.DESTROY)
        charged = {p: {name: -q for name, q in resources.items()} for p, resources in released.items()}
        quota.charge_now(server.userid, charged, name="test")
        return server

    return make


def act(person, server, body):
    return person.api.post(f"servers/{server.pk}/action", body)


@pytest.mark.parametrize(
    ("state", "body", "task", "ganeti_action"),
    [
        (STOPPED, {"start": {}}, Task.START, "startup"),
        (STOPPED, {"os-start": None}, Task.START, "startup"),
        (STARTED, {"shutdown": {}}, Task.STOP, "shutdown"),
        (STARTED, {"os-stop": None}, Task.STOP, "shutdown"),
        (STARTED, {"reboot": {}}, Task.REBOOT, "reboot"),
        (STARTED, {"reboot": None}, Task.REBOOT, "reboot"),
        (STARTED, {"reboot": {"type": "hard"}}, Task.REBOOT, "reboot"),
        (STOPPED, {"reboot": {"type": "SOFT"}}, Task.REBOOT, "reboot"),
    ],
)
def test_action_is_accepted_and_its_job_intended(person, make_charged, state, body, task, ganeti_action):
    server = make_charged(operstate=state)
    response = act(person, server, body)
    assert (response.status_code, response.content) == (202, b"")
    server.refresh_from_db()
    assert (server.task, server.operstate) == (task, state)
    assert JobIntent.objects.get(server=server).payload["action"] == ganeti_action


@pytest.mark.parametrize("body", [{}, [], "start", 5, None, {"start": 1}, {"start": []}, {"start": "x"}])
def test_malformed_action_is_400(person, make_server, body):
    server = make_server(operstate=STOPPED)
    response = person.api.post(f"servers/{server.pk}/action", "null" if body is None else body)
    assert response.status_code == 400
    assert set(response.json()) == {"badRequest"}


@pytest.mark.parametrize("name", ["fly", "delete", "destroy", "stop", "create", ""])
def test_unknown_action_is_400(person, make_server, name):
    response = act(person, make_server(), {name: {}})
    assert response.status_code == 400
    assert "not supported" in response.json()["badRequest"]["message"]


def test_several_actions_are_400(person, make_server):
    assert act(person, make_server(operstate=STOPPED), {"start": {}, "shutdown": {}}).status_code == 400


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_action_that_is_not_offered_is_501(person, make_server, name):
    response = act(person, make_server(), {name: {}})
    assert response.status_code == 501
    assert set(response.json()) == {"notImplemented"}


def test_users_cannot_suspend(person, make_server):
    assert act(person, make_server(), {"suspend": {}}).status_code == 403


@pytest.mark.parametrize("kind", ["FAST", "", 1, None, [], {}])
def test_bad_reboot_type_is_400(person, make_server, kind):
    assert act(person, make_server(), {"reboot": {"type": kind}}).status_code == 400


def test_start_reserves_cpu_and_ram_until_the_job_ends(person, make_server):
    server = make_server(operstate=STOPPED)
    act(person, server, {"start": {}})
    server.refresh_from_db()
    assert server.serial is not None
    assert person.usage("cyclades.cpu") == (2, 2)


def test_start_beyond_the_quota_is_413_and_changes_nothing(person, make_server, flavor):
    flavor.cpu = 1001
    flavor.save()
    server = make_server(operstate=STOPPED)
    response = act(person, server, {"start": {}})
    assert response.status_code == 413
    assert "cyclades.cpu" in response.json()["overLimit"]["details"]
    server.refresh_from_db()
    assert (server.task, server.serial) == ("", None)
    assert not JobIntent.objects.exists()


@pytest.mark.parametrize("body", [{"shutdown": {}}, None])
def test_stop_and_destroy_release_nothing_before_the_job_ends(person, make_charged, body):
    server = make_charged()
    response = person.api.delete(f"servers/{server.pk}") if body is None else act(person, server, body)
    assert response.status_code in (202, 204)
    assert person.usage("cyclades.cpu")[0] == 2
    server.refresh_from_db()
    assert server.serial is not None


def test_an_offline_backend_is_503(person, make_server, backend):
    backend.offline = True
    backend.save()
    response = act(person, make_server(), {"shutdown": {}})
    assert response.status_code == 503
    assert response["Retry-After"]


def test_destroy_overrides_a_pending_start_and_its_commission(person, make_charged):
    server = make_charged(operstate=STOPPED)
    act(person, server, {"start": {}})
    assert person.usage("cyclades.cpu") == (2, 2)
    assert person.api.delete(f"servers/{server.pk}").status_code == 204
    server.refresh_from_db()
    assert server.task == Task.DESTROY
    assert person.usage("cyclades.cpu") == (0, 0)


def test_destroying_again_intends_no_second_job(person, make_charged):
    server = make_charged()
    assert [person.api.delete(f"servers/{server.pk}").status_code for _ in range(2)] == [204, 204]
    assert JobIntent.objects.filter(server=server).count() == 1


def test_destroy_during_a_build_without_instance_is_409(person, make_server):
    server = make_server(operstate=ServerState.BUILD, task=Task.BUILD)
    response = person.api.delete(f"servers/{server.pk}")
    assert response.status_code == 409
    assert set(response.json()) == {"buildInProgress"}


def test_resize_reserves_the_difference(person, make_server, bigger_flavor):
    server = make_server(operstate=STOPPED)
    assert act(person, server, {"resize": {"flavorRef": bigger_flavor.pk}}).status_code == 202
    assert person.usage("cyclades.total_cpu") == (2, 2)
    server.refresh_from_db()
    assert server.task == Task.RESIZE
    assert server.flavor_id != bigger_flavor.pk


def test_resize_to_a_closed_flavor_is_allowed(person, make_server, bigger_flavor):
    bigger_flavor.allow_create = False
    bigger_flavor.save()
    server = make_server(operstate=STOPPED)
    assert act(person, server, {"resize": {"flavorRef": bigger_flavor.pk}}).status_code == 202


def test_resize_refusals(person, make_server, flavor, volume_type):
    from cyclades.models import Flavor, VolumeType

    other_disk = Flavor.objects.create(cpu=2, ram=1024, disk=40, volume_type=volume_type)
    other_type = Flavor.objects.create(
        cpu=4, ram=1024, disk=20, volume_type=VolumeType.objects.create(name="p", disk_template="plain")
    )
    deleted = Flavor.objects.create(cpu=8, ram=1024, disk=20, volume_type=volume_type, deleted=True)
    private = Flavor.objects.create(cpu=9, ram=1024, disk=20, volume_type=volume_type, public=False)
    server = make_server(operstate=STOPPED)

    def status(reference: object) -> int:
        return act(person, server, {"resize": {"flavorRef": reference}}).status_code

    assert [status(x.pk) for x in (flavor, other_disk, other_type)] == [400, 400, 400]
    assert [status(x.pk) for x in (deleted, private)] == [404, 404]
    assert [status(x) for x in (10**6, "abc", None, [], 1.5)] == [404, 400, 400, 400, 400]
    assert act(person, server, {"resize": {}}).status_code == 400


def test_resize_of_a_running_server_is_400(person, make_server, bigger_flavor):
    assert act(person, make_server(), {"resize": {"flavorRef": bigger_flavor.pk}}).status_code == 400


def test_every_action_of_a_stranger_is_404(stranger, make_server):
    server = make_server()
    assert {act(stranger, server, {name: {}}).status_code for name in ACTIONS} == {404}
