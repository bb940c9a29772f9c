"""Floating IPs over HTTP (network contract 7)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cyclades.models import IPAddress, Network, Port, Server
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.network_fixtures import NetworkApi, network_api
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

KEYS = {
    "id", "floating_ip_address", "floating_network_id", "fixed_ip_address", "port_id", "instance_id",
    "user_id", "tenant_id", "shared_to_project", "deleted", "project_id", "status", "router_id",
}  # fmt: skip


def reserve(api: NetworkApi, **values: object):
    return api.post("floatingips", {"floatingip": values})


def test_reserve_answers_200_with_all_keys(api: NetworkApi, person: Person, internet: Network) -> None:
    response = reserve(api, floating_network_id=str(internet.pk), project=person.uuid)
    assert response.status_code == 200
    ip = response.json()["floatingip"]
    assert set(ip) == KEYS
    assert (ip["floating_ip_address"], ip["port_id"], ip["instance_id"]) == ("203.0.113.2", None, None)
    assert (ip["user_id"], ip["tenant_id"], ip["deleted"]) == (person.uuid, person.uuid, False)
    assert person.usage("cyclades.floating_ip") == (1, 0)


def test_any_pool_in_the_order_of_networks(
    api: NetworkApi, internet: Network, make_public_network: Callable[..., Network]
) -> None:
    make_public_network("198.51.100.0/29", floating=False)
    second = make_public_network("192.0.2.0/29")
    taken = [reserve(api).json()["floatingip"]["floating_network_id"] for _ in range(6)]
    assert taken == [str(internet.pk)] * 5 + [str(second.pk)]


def test_nothing_left_is_409_and_charges_nothing(api: NetworkApi, person: Person) -> None:
    assert fault(reserve(api)) == (409, "conflict")
    assert person.usage("cyclades.floating_ip") == (0, 0)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"floating_network_id": "x"}, 400),
        ({"floating_network_id": 9999}, 404),
        ({"floating_network_id": True}, 400),
        ({"floating_ip_address": "x"}, 400),
        ({"floating_ip_address": "203.0.113.1"}, 400),
        ({"floating_ip_address": "192.0.2.1"}, 400),
        ({"floating_ip_address": "203.0.113.6"}, 200),
        ({"project": "other"}, 400),
        ({"tenant_id": "other"}, 400),
        ({"shared_to_project": True}, 403),
        ({"shared_to_project": "x"}, 400),
    ],
)
def test_rules_of_reserving(
    api: NetworkApi, internet: Network, values: dict[str, object], status: int
) -> None:
    values = {"floating_network_id": internet.pk, **values}
    assert reserve(api, **values).status_code == status


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"floating_ip_pool": False}, 409),
        ({"drained": True}, 409),
        ({"action": "DESTROY"}, 409),
        ({"deleted": True}, 400),
    ],
    ids=str,
)
def test_networks_that_give_none(
    api: NetworkApi, internet: Network, state: dict[str, object], status: int
) -> None:
    Network.objects.update(**state)
    assert reserve(api, floating_network_id=internet.pk).status_code == status


def test_taken_address_is_409(api: NetworkApi, internet: Network) -> None:
    values = {"floating_network_id": internet.pk, "floating_ip_address": "203.0.113.4"}
    assert reserve(api, **values).status_code == 200
    assert fault(reserve(api, **values)) == (409, "conflict")


def test_body_must_hold_the_object(api: NetworkApi) -> None:
    assert fault(api.post("floatingips", {})) == (400, "badRequest")


def test_over_quota_is_413_with_details(api: NetworkApi, make_public_network: Callable[..., Network]) -> None:
    make_public_network("203.0.113.0/28")
    for _ in range(10):
        assert reserve(api).status_code == 200
    response = reserve(api)
    assert fault(response) == (413, "overLimit")
    assert response.json()["overLimit"]["details"]


def test_release_gives_back_address_and_quota(api: NetworkApi, person: Person, internet: Network) -> None:
    ip = reserve(api).json()["floatingip"]
    path = f"floatingips/{ip['id']}"
    assert api.delete(path).status_code == 204
    assert fault(api.get(path)) == (404, "itemNotFound")
    assert fault(api.delete(path)) == (404, "itemNotFound")
    assert api.get("floatingips").json() == {"floatingips": []}
    assert person.usage("cyclades.floating_ip") == (0, 0)
    assert reserve(api).json()["floatingip"]["floating_ip_address"] == ip["floating_ip_address"]


def test_attached_one_is_not_released(
    api: NetworkApi, person: Person, internet: Network, make_server: Callable[..., Server]
) -> None:
    ip = reserve(api).json()["floatingip"]
    server = make_server()
    port = Port.objects.create(network=internet, machine=server)
    IPAddress.objects.update(nic=port)
    shown = api.get(f"floatingips/{ip['id']}").json()["floatingip"]
    assert (shown["port_id"], shown["instance_id"], shown["status"]) == (
        str(port.pk),
        str(server.pk),
        "ACTIVE",
    )
    assert fault(api.delete(f"floatingips/{ip['id']}")) == (409, "conflict")
    Port.objects.update(machine=None)
    assert fault(api.delete(f"floatingips/{ip['id']}")) == (409, "conflict")
    assert api.delete(f"networks/{internet.pk}").status_code == 403


def test_update_is_501(api: NetworkApi, internet: Network) -> None:
    ip = reserve(api).json()["floatingip"]
    assert fault(api.put(f"floatingips/{ip['id']}", {"floatingip": {}})) == (501, "notImplemented")


def test_one_is_reserved_for_the_server_of_a_port_or_not_at_all(
    api: NetworkApi,
    person: Person,
    internet: Network,
    private_network: Network,
    make_server: Callable[..., Server],
) -> None:
    port = Port.objects.create(network=private_network, userid=person.uuid)
    assert fault(reserve(api, port_id=str(port.pk))) == (400, "badRequest")
    server = make_server(task="STOP")
    Port.objects.update(machine=server)
    assert fault(reserve(api, port_id=port.pk)) == (400, "badRequest")
    assert (IPAddress.objects.count(), person.usage("cyclades.floating_ip")) == (0, (0, 0))
    Server.objects.update(task="")
    ip = reserve(api, port_id=port.pk).json()["floatingip"]
    assert (ip["instance_id"], ip["status"]) == (str(server.pk), "ACTIVE")
    assert person.usage("cyclades.floating_ip") == (1, 0)


def test_who_polls_hears_of_the_server_that_gets_its_port(
    api: NetworkApi, internet: Network, make_server: Callable[..., Server]
) -> None:
    ip = reserve(api).json()["floatingip"]
    body = {"network_id": str(internet.pk), "fixed_ips": [{"ip_address": ip["floating_ip_address"]}]}
    port = api.post("ports", {"port": body}).json()["port"]
    before = IPAddress.objects.get().updated
    given = api.put(f"ports/{port['id']}", {"port": {"device_id": str(make_server().pk)}})
    assert given.status_code == 200
    assert IPAddress.objects.get().updated > before


def test_foreign_one_is_404(api: NetworkApi, stranger: Person, internet: Network) -> None:
    ip = reserve(api).json()["floatingip"]
    other = network_api(stranger)
    assert other.get(f"floatingips/{ip['id']}").status_code == 404
    assert other.delete(f"floatingips/{ip['id']}").status_code == 404
    action = {"reassign": {"project": stranger.uuid}}
    assert other.post(f"floatingips/{ip['id']}/action", action).status_code == 404
    assert other.get("floatingips/nonsense").status_code == 400


def test_shared_one_is_used_and_released_by_members_but_not_reassigned(
    api: NetworkApi, person: Person, internet: Network
) -> None:
    ip = reserve(api).json()["floatingip"]
    IPAddress.objects.update(userid="someone-else", shared_to_project=True)
    assert api.get(f"floatingips/{ip['id']}").status_code == 200
    action = {"reassign": {"project": person.uuid}}
    assert fault(api.post(f"floatingips/{ip['id']}/action", action)) == (403, "forbidden")


def test_reassign_to_the_same_project_answers_200_without_a_body(
    api: NetworkApi, person: Person, internet: Network
) -> None:
    ip = reserve(api).json()["floatingip"]
    response = api.post(f"floatingips/{ip['id']}/action", {"reassign": {"project": person.uuid}})
    assert (response.status_code, response.content) == (200, b"")


def test_list_costs_a_fixed_number_of_queries(
    api: NetworkApi, internet: Network, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 4):
        while IPAddress.objects.count() < count:
            reserve(api)
        for path in ("floatingips", "floatingips/detail"):
            with django_assert_num_queries(2):
                assert len(api.get(path).json()["floatingips"]) == count
