"""Ports over HTTP (network contract 6)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cyclades.logic import floating_ips, ports
from cyclades.models import (
    Backend,
    IPAddress,
    IPAddressHistory,
    JobIntent,
    Network,
    Port,
    PortState,
    Server,
    ServerState,
    Task,
)
from synnefo.credentials import Credentials
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.network_fixtures import NetworkApi, network_api
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

KEYS = {
    "id", "name", "network_id", "device_id", "device_owner", "mac_address", "status", "admin_state_up",
    "fixed_ips", "security_groups", "user_id", "tenant_id", "created", "updated", "links",
    "project_id", "created_at", "updated_at",
}  # fmt: skip


def create(api: NetworkApi, network: Network, **values: object):
    return api.post("ports", {"port": {"network_id": str(network.pk), **values}})


def address(value: str) -> list[dict[str, str]]:
    return [{"ip_address": value}]


def test_unattached_port_is_down_and_has_the_lowest_address(
    api: NetworkApi, person: Person, private_network: Network
) -> None:
    response = create(api, private_network, name="p1")
    assert response.status_code == 201
    port = response.json()["port"]
    assert set(port) == KEYS
    assert (port["status"], port["name"], port["device_id"], port["device_owner"]) == (
        "DOWN",
        "p1",
        None,
        None,
    )
    assert port["user_id"] == port["tenant_id"] == person.uuid
    [fixed] = port["fixed_ips"]
    assert (fixed["ip_address"], fixed["subnet"]) == ("10.20.30.2", str(private_network.subnets.get().pk))
    assert create(api, private_network).json()["port"]["fixed_ips"][0]["ip_address"] == "10.20.30.3"


def test_private_address_can_be_chosen(api: NetworkApi, private_network: Network) -> None:
    wanted = address("10.20.30.77")
    port = create(api, private_network, fixed_ips=wanted).json()["port"]
    assert port["fixed_ips"][0]["ip_address"] == "10.20.30.77"
    assert fault(create(api, private_network, fixed_ips=wanted)) == (409, "conflict")
    assert fault(create(api, private_network, fixed_ips=address("10.20.30.1"))) == (400, "badRequest")
    assert fault(create(api, private_network, fixed_ips=address("10.99.0.1"))) == (400, "badRequest")


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"fixed_ips": [{"ip_address": "10.20.30.5"}, {"ip_address": "10.20.30.6"}]}, 400),
        ({"fixed_ips": ["10.20.30.5"]}, 400),
        ({"fixed_ips": 3}, 400),
        ({"fixed_ips": [{"ip_address": "fd00::1"}]}, 400),
        ({"fixed_ips": [{"ip_address": 3}]}, 400),
        ({"device_id": "x"}, 400),
        ({"device_id": 9999}, 404),
        ({"network_id": "x"}, 400),
        ({"network_id": 9999}, 404),
        ({"network_id": None}, 400),
        ({"name": "x" * 129}, 400),
        ({"security_groups": [1]}, 404),
        ({"security_groups": ["x"]}, 400),
        ({"security_groups": []}, 201),
        ({"mac_address": "aa:bb:cc:dd:ee:ff", "admin_state_up": False, "subnet_id": 7, "status": "X"}, 201),
    ],
)
def test_rules_of_creation(
    api: NetworkApi, private_network: Network, values: dict[str, object], status: int
) -> None:
    assert create(api, private_network, **values).status_code == status


@pytest.mark.parametrize(
    "state",
    [{"state": "ERROR"}, {"action": "DESTROY"}, {"drained": True}],
    ids=lambda state: next(iter(state)),
)
def test_network_that_takes_no_ports_is_409(
    api: NetworkApi, private_network: Network, state: dict[str, object]
) -> None:
    Network.objects.update(**state)
    assert fault(create(api, private_network)) == (409, "conflict")


def test_deleted_network_is_400(api: NetworkApi, private_network: Network) -> None:
    api.delete(f"networks/{private_network.pk}")
    assert fault(create(api, private_network)) == (400, "badRequest")


def test_exhausted_network_is_409_and_a_release_frees_the_lowest(
    api: NetworkApi, make_public_network: Callable[..., Network], person: Person
) -> None:
    network = make_public_network("10.0.0.0/29")
    Network.objects.update(public=False, userid=person.uuid, project=person.uuid)
    made = [create(api, network).json()["port"] for _ in range(5)]
    assert [port["fixed_ips"][0]["ip_address"] for port in made] == [f"10.0.0.{n}" for n in range(2, 7)]
    assert fault(create(api, network)) == (409, "conflict")
    assert api.delete(f"ports/{made[1]['id']}").status_code == 204
    assert create(api, network).json()["port"]["fixed_ips"][0]["ip_address"] == "10.0.0.3"


def test_public_network_needs_a_floating_ip(
    api: NetworkApi, person: Person, stranger: Person, internet: Network
) -> None:
    assert fault(create(api, internet)) == (400, "badRequest")
    assert fault(create(api, internet, fixed_ips=address("203.0.113.2"))) == (404, "itemNotFound")
    floating_ips.create(stranger.credentials, network_id=internet.pk, address="203.0.113.2")
    assert fault(create(api, internet, fixed_ips=address("203.0.113.2"))) == (404, "itemNotFound")
    Network.objects.update(action="DESTROY")
    assert fault(create(api, internet)) == (400, "badRequest")
    Network.objects.update(action="CREATE")
    ip = floating_ips.create(person.credentials, network_id=internet.pk)
    Network.objects.update(drained=True)
    port = create(api, internet, fixed_ips=address(ip.address)).json()["port"]
    assert port["fixed_ips"][0]["ip_address"] == ip.address
    assert fault(create(api, internet, fixed_ips=address(ip.address))) == (409, "conflict")


def test_floating_ip_of_another_network_is_409(
    api: NetworkApi, person: Person, internet: Network, make_public_network: Callable[..., Network]
) -> None:
    ip = floating_ips.create(person.credentials, network_id=internet.pk)
    other = make_public_network("198.51.100.0/29")
    assert fault(create(api, other, fixed_ips=address(ip.address))) == (409, "conflict")


def test_deleting_a_port_only_detaches_its_floating_ip(
    api: NetworkApi, person: Person, internet: Network
) -> None:
    ip = floating_ips.create(person.credentials, network_id=internet.pk)
    port = create(api, internet, fixed_ips=address(ip.address)).json()["port"]
    assert api.delete(f"ports/{port['id']}").status_code == 204
    assert api.get(f"ports/{port['id']}").status_code == 404
    shown = api.get(f"floatingips/{ip.pk}").json()["floatingip"]
    assert (shown["port_id"], shown["floating_ip_address"]) == (None, ip.address)


def test_forced_public_port_is_not_the_users_to_remove(
    api: NetworkApi, person: Person, internet: Network, make_server: Callable[..., Server]
) -> None:
    port = Port.objects.create(network=internet, machine=make_server(), userid=person.uuid, public=True)
    assert fault(api.delete(f"ports/{port.pk}")) == (403, "forbidden")


def test_connecting_a_running_server_promises_a_job(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server], submitted: list[int]
) -> None:
    server = make_server()
    port = create(api, private_network, device_id=str(server.pk)).json()["port"]
    assert (port["status"], port["device_id"], port["device_owner"]) == ("BUILD", str(server.pk), "vm")
    intent = JobIntent.objects.get()
    assert (intent.operation, intent.payload["networks"]) == (Task.CONNECT, [private_network.pk])
    server.refresh_from_db()
    assert server.task == Task.CONNECT
    # Another change must wait for the job.
    assert fault(create(api, private_network, device_id=server.pk)) == (400, "badRequest")
    assert IPAddress.objects.count() == 1
    assert not IPAddressHistory.objects.exists()


def test_disconnecting_keeps_the_row_until_the_job_ends(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server], submitted: list[int]
) -> None:
    server = make_server()
    port = Port.objects.create(network=private_network, machine=server, state=PortState.ACTIVE)
    assert api.delete(f"ports/{port.pk}").status_code == 204
    assert JobIntent.objects.get().operation == Task.DISCONNECT
    assert api.get(f"ports/{port.pk}").json()["port"]["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"deleted": True}, (400, "badRequest")),
        ({"suspended": True}, (403, "forbidden")),
        ({"operstate": ServerState.BUILD}, (409, "buildInProgress")),
        ({"operstate": ServerState.ERROR}, (400, "badRequest")),
        ({"task": Task.STOP}, (400, "badRequest")),
    ],
    ids=str,
)
def test_servers_that_take_no_ports(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server],
    values: dict[str, object], expected: tuple[int, str],
) -> None:  # fmt: skip
    server = make_server(**values)
    assert fault(create(api, private_network, device_id=server.pk)) == expected
    assert not Port.objects.exists()


def test_without_hotplug_a_server_must_be_stopped(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server], settings, submitted
) -> None:
    settings.GANETI_USE_HOTPLUG = False
    assert create(api, private_network, device_id=make_server().pk).status_code == 400
    stopped = make_server(operstate=ServerState.STOPPED)
    assert create(api, private_network, device_id=stopped.pk).status_code == 201


def test_ninth_port_is_400(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server]
) -> None:
    server = make_server()
    for _ in range(8):
        Port.objects.create(network=private_network, machine=server)
    assert fault(create(api, private_network, device_id=server.pk)) == (400, "badRequest")


def test_offline_backend_is_503(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server]
) -> None:
    server = make_server()
    Backend.objects.update(offline=True)
    assert fault(create(api, private_network, device_id=server.pk)) == (503, "serviceUnavailable")


def test_update_changes_the_name_only(api: NetworkApi, private_network: Network) -> None:
    port = create(api, private_network, name="old").json()["port"]
    path = f"ports/{port['id']}"
    body = {"port": {"name": "new", "network_id": "7", "security_groups": []}}
    assert api.put(path, body).json()["port"]["name"] == "new"
    assert api.put(path, {"port": {"name": ""}}).json()["port"]["name"] == "new"
    assert fault(api.put(path, {"port": {"name": "x" * 129}})) == (400, "badRequest")


def test_visibility(
    api: NetworkApi, person: Person, stranger: Person, private_network: Network, internet: Network,
    make_server: Callable[..., Server],
) -> None:  # fmt: skip
    mine = Port.objects.create(network=internet, userid=person.uuid)
    on_my_server = Port.objects.create(network=internet, machine=make_server(), userid="x")
    on_my_network = Port.objects.create(network=private_network, userid="x")
    with_my_address = Port.objects.create(network=internet, userid="x")
    ip = floating_ips.create(person.credentials, network_id=internet.pk)
    IPAddress.objects.filter(pk=ip.pk).update(nic=with_my_address)
    foreign = Port.objects.create(network=internet, userid="x")
    visible = [mine, on_my_server, on_my_network, with_my_address]
    assert [item["id"] for item in api.get("ports").json()["ports"]] == [str(port.pk) for port in visible]
    assert api.get(f"ports/{foreign.pk}").status_code == 404
    assert network_api(stranger).get("ports").json() == {"ports": []}
    for method in ("GET", "DELETE"):
        response = network_api(stranger).call(method, f"v2.0/ports/{mine.pk}")
        assert response.status_code == 404
    assert api.get("ports/nonsense").status_code == 400


def test_filters(api: NetworkApi, private_network: Network) -> None:
    create(api, private_network)
    create(api, private_network)
    found = api.get("ports?fixed_ips=ip_address%3D10.20.30.3").json()["ports"]
    assert [port["fixed_ips"][0]["ip_address"] for port in found] == ["10.20.30.3"]
    assert api.get("ports?fixed_ips=nonsense").json()["ports"] == []
    subnet = private_network.subnets.get()
    of_subnet = f"fixed_ips=subnet_id%3D{subnet.pk}"
    both = create(api, private_network).json()["port"]
    values = {"subnet": subnet, "network": private_network, "nic_id": both["id"], "ipversion": 6}
    IPAddress.objects.create(address="2001:db8::1", **values)
    assert len(api.get(f"ports?{of_subnet}&fixed_ips=ip_address%3D2001:db8::1").json()["ports"]) == 3
    api.delete(f"ports/{both['id']}")
    assert len(api.get(f"ports?network_id={private_network.pk}&status=DOWN").json()["ports"]) == 2


def test_list_costs_a_fixed_number_of_queries(
    api: NetworkApi, private_network: Network, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 5):
        while Port.objects.count() < count:
            create(api, private_network)
        with django_assert_num_queries(3):
            assert len(api.get("ports").json()["ports"]) == count


def test_administrator_connects_to_a_public_network_without_a_floating_ip(
    internet: Network, make_server: Callable[..., Server], submitted: list[int]
) -> None:
    request = ports.PortRequest(network_id=internet.pk, device_id=make_server().pk)
    port = ports.create(Credentials.administrator(), request=request)
    assert port.ips.get().address == "203.0.113.2"
    history = IPAddressHistory.objects.get()
    assert (history.action, history.action_reason) == ("associate", f"associate port {port.pk}")


def test_ports_on_no_server_have_a_limit(
    api: NetworkApi, private_network: Network, make_server: Callable[..., Server], settings: object
) -> None:
    settings.CYCLADES_MAX_UNATTACHED_PORTS = 1  # type: ignore[attr-defined]
    create(api, private_network)
    assert fault(create(api, private_network)) == (413, "overLimit")
    assert create(api, private_network, device_id=str(make_server().pk)).status_code == 201


@pytest.mark.parametrize("number", ["0" * 5000, "0" * 25 + "9" * 30])
def test_ids_of_absurd_length_are_malformed(api: NetworkApi, number: str) -> None:
    assert fault(api.post("ports", {"port": {"network_id": number}})) == (400, "badRequest")
    assert fault(api.get(f"ports?limit={number}")) == (400, "badRequest")
