"""Subnets over HTTP (network contract 5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclades.logic import cidrs
from cyclades.models import Backend, BackendNetwork, IPPool, Network
from synnefo.errors import SynnefoError
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.network_fixtures import NetworkApi, network_api, subnet_of
from tests.cyclades.test_network_api import fault

pytestmark = [pytest.mark.db, pytest.mark.django_db]

KEYS = {
    "id", "network_id", "name", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "dns_nameservers",
    "host_routes", "allocation_pools", "user_id", "tenant_id", "public", "deleted", "links",
    "project_id", "created_at", "updated_at", "ipv6_ra_mode", "ipv6_address_mode",
}  # fmt: skip


@pytest.fixture
def network(api: NetworkApi, mac_pool: None) -> str:
    """A private network without subnets."""
    return api.post("networks", {"network": {"type": "MAC_FILTERED"}}).json()["network"]["id"]


def create(api: NetworkApi, network: str, **values: object):
    body = {"network_id": network, "cidr": "192.168.5.0/24", **values}
    return api.post("subnets", {"subnet": {k: v for k, v in body.items() if v != "absent"}})


def test_create_answers_201_with_all_keys(api: NetworkApi, network: str, person: Person) -> None:
    before = api.get(f"networks/{network}").json()["network"]["updated"]
    response = create(api, network, name="sub", ip_version=4, enable_dhcp=True, dns_nameservers=["192.0.2.1"])
    assert response.status_code == 201
    subnet = response.json()["subnet"]
    assert set(subnet) == KEYS
    assert subnet["allocation_pools"] == [{"start": "192.168.5.2", "end": "192.168.5.254"}]
    assert (subnet["gateway_ip"], subnet["user_id"], subnet["tenant_id"]) == (
        "192.168.5.1",
        person.uuid,
        person.uuid,
    )
    assert subnet["dns_nameservers"] == ["192.0.2.1"]
    shown = api.get(f"networks/{network}").json()["network"]
    assert shown["subnets"] == [subnet["id"]]
    # Who polls with changes-since hears of it.
    assert shown["updated"] > before


def test_ipv6_has_slaac_and_no_pools(api: NetworkApi, network: str) -> None:
    subnet = create(api, network, cidr="fd00:1::/64", ip_version=6).json()["subnet"]
    assert set(subnet) == KEYS | {"enable_slaac"}
    assert (subnet["allocation_pools"], subnet["gateway_ip"], subnet["enable_slaac"]) == (
        [],
        "fd00:1::1",
        True,
    )
    assert not IPPool.objects.exists()


@pytest.mark.parametrize(
    ("gateway", "shown", "pools"),
    [
        ("absent", "192.168.5.1", [("192.168.5.2", "192.168.5.254")]),
        ("", "192.168.5.1", [("192.168.5.2", "192.168.5.254")]),
        (None, None, [("192.168.5.1", "192.168.5.254")]),
        ("192.168.5.254", "192.168.5.254", [("192.168.5.1", "192.168.5.253")]),
        (
            "192.168.5.100",
            "192.168.5.100",
            [("192.168.5.1", "192.168.5.99"), ("192.168.5.101", "192.168.5.254")],
        ),
    ],
)
def test_default_pools_leave_the_gateway_out(
    api: NetworkApi, network: str, gateway: object, shown: str | None, pools: list[tuple[str, str]]
) -> None:
    subnet = create(api, network, gateway_ip=gateway).json()["subnet"]
    assert subnet["gateway_ip"] == shown
    assert [(pool["start"], pool["end"]) for pool in subnet["allocation_pools"]] == pools


def test_given_pools_are_sorted(api: NetworkApi, network: str) -> None:
    pools = [
        {"start": "192.168.5.100", "end": "192.168.5.110"},
        {"start": "192.168.5.10", "end": "192.168.5.20"},
    ]
    assert create(api, network, allocation_pools=pools).json()["subnet"]["allocation_pools"] == pools[::-1]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"network_id": "absent"}, 400),
        ({"network_id": "x"}, 400),
        ({"network_id": 9999}, 404),
        ({"cidr": "absent"}, 400),
        ({"cidr": "nonsense"}, 400),
        ({"cidr": 3}, 400),
        ({"cidr": "192.168.5.1/24"}, 400),
        ({"cidr": "fd00::/64"}, 400),
        ({"cidr": "10.0.0.0/8"}, 413),
        ({"cidr": "10.0.0.0/30"}, 413),
        ({"cidr": "10.0.0.0/21"}, 413),
        ({"cidr": "10.0.0.0/22"}, 201),
        ({"cidr": "10.0.0.0/29"}, 201),
        ({"cidr": "fd00::/65", "ip_version": 6}, 400),
        ({"ip_version": 5}, 400),
        ({"ip_version": "4"}, 400),
        ({"enable_dhcp": "yes"}, 400),
        ({"enable_slaac": 1}, 400),
        ({"name": "x" * 129}, 400),
        ({"gateway_ip": "10.0.0.1"}, 400),
        ({"gateway_ip": "192.168.5.0"}, 400),
        ({"gateway_ip": "192.168.5.255"}, 400),
        ({"gateway_ip": "fd00::1"}, 400),
        ({"gateway_ip": 1}, 400),
        ({"dns_nameservers": ["nonsense"]}, 400),
        ({"host_routes": [3]}, 400),
        ({"host_routes": [{"destination": "0.0.0.0/0", "nexthop": "192.168.5.1"}]}, 201),
        ({"allocation_pools": [{"start": "192.168.5.2"}]}, 400),
        ({"allocation_pools": [{"start": "fd00::1", "end": "fd00::2"}]}, 400),
        ({"allocation_pools": [{"start": "192.168.5.0", "end": "192.168.5.9"}]}, 409),
        ({"allocation_pools": [{"start": "192.168.5.2", "end": "192.168.5.255"}]}, 409),
        ({"allocation_pools": [{"start": "192.168.5.9", "end": "192.168.5.8"}]}, 409),
        ({"allocation_pools": [{"start": "192.168.5.1", "end": "192.168.5.8"}]}, 409),
        (
            {
                "allocation_pools": [
                    {"start": "192.168.5.2", "end": "192.168.5.8"},
                    {"start": "192.168.5.8", "end": "192.168.5.9"},
                ]
            },
            409,
        ),
        (
            {
                "cidr": "fd00::/64",
                "ip_version": 6,
                "allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.2"}],
            },
            409,
        ),
    ],
)
def test_rules_of_creation(api: NetworkApi, network: str, values: dict[str, object], status: int) -> None:
    assert create(api, network, **values).status_code == status


def test_one_subnet_for_each_version(api: NetworkApi, network: str) -> None:
    assert create(api, network).status_code == 201
    assert fault(create(api, network, cidr="10.0.0.0/24")) == (400, "badRequest")
    assert create(api, network, cidr="fd00::/64", ip_version=6).status_code == 201


def test_network_that_ganeti_has_gets_no_more_subnets(
    api: NetworkApi, network: str, backend: Backend
) -> None:
    BackendNetwork.objects.create(network_id=int(network), backend=backend)
    assert fault(create(api, network)) == (400, "badRequest")


def test_only_the_owner_makes_and_renames_subnets(
    api: NetworkApi, person: Person, private_network: Network, internet: Network
) -> None:
    assert fault(create(api, str(internet.pk), cidr="fd00::/64", ip_version=6)) == (403, "forbidden")
    body = {"subnet": {"name": "mine"}}
    assert fault(api.put(f"subnets/{subnet_of(internet).pk}", body)) == (403, "forbidden")
    Network.objects.filter(pk=private_network.pk).update(
        userid="someone-else", project=person.uuid, shared_to_project=True
    )
    assert create(api, str(private_network.pk), cidr="fd00::/64", ip_version=6).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"subnet": {"name": "new"}}, 200),
        ({"subnet": {"name": "new", "cidr": "10.0.0.0/24"}}, 400),
        ({"subnet": {}}, 400),
        ({"subnet": {"name": None}}, 400),
        ({"subnet": {"name": "x" * 129}}, 400),
    ],
)
def test_rename(api: NetworkApi, private_network: Network, body: object, status: int) -> None:
    assert api.put(f"subnets/{subnet_of(private_network).pk}", body).status_code == status


def test_subnets_are_never_deleted(api: NetworkApi, private_network: Network) -> None:
    assert fault(api.delete(f"subnets/{subnet_of(private_network).pk}")) == (400, "badRequest")


def test_visibility_follows_the_network(
    stranger: Person, private_network: Network, internet: Network
) -> None:
    api = network_api(stranger)
    listed = api.get("subnets").json()["subnets"]
    assert [subnet["id"] for subnet in listed] == [str(subnet_of(internet).pk)]
    assert listed[0]["user_id"] is None
    assert api.get(f"subnets/{subnet_of(private_network).pk}").status_code == 404
    assert api.get("subnets/nonsense").status_code == 400


def test_deleted_subnet_stays_readable_by_id(api: NetworkApi, private_network: Network) -> None:
    subnet = subnet_of(private_network)
    api.delete(f"networks/{private_network.pk}")
    shown = api.get(f"subnets/{subnet.pk}").json()["subnet"]
    assert (shown["deleted"], shown["allocation_pools"]) == (True, [])
    assert api.get("subnets").json() == {"subnets": []}


def test_list_costs_a_fixed_number_of_queries(
    api: NetworkApi, mac_pool: None, django_assert_num_queries: Callable[..., object]
) -> None:
    for count in (1, 4):
        while len(api.get("subnets").json()["subnets"]) < count:
            network = api.post("networks", {"network": {"type": "MAC_FILTERED"}}).json()["network"]["id"]
            create(api, network)
        with django_assert_num_queries(3):
            api.get("subnets")


_TEXTS = st.text(max_size=20) | st.sampled_from(["10.0.0.0/24", "10.0.0.1", "fd00::/64", "::/0", "0.0.0.0/0"])


@pytest.mark.unit
@given(_TEXTS, st.none() | _TEXTS, st.sampled_from([4, 6]))
def test_any_text_is_planned_or_refused(cidr: str, gateway: str | None, version: int) -> None:
    try:
        planned = cidrs.plan(ipversion=version, cidr=cidr, gateway=gateway, pools=None)
    except SynnefoError as error:
        assert error.code in (400, 409, 413)
        return
    assert planned.cidr.version == version


@pytest.mark.unit
@given(st.integers(22, 29), st.integers(0, 2**32 - 1), st.none() | st.integers(1, 1022))
def test_default_pools_are_all_hosts_but_the_gateway(prefix: int, number: int, offset: int | None) -> None:
    network = ipaddress.IPv4Network((number & ~((1 << (32 - prefix)) - 1), prefix))
    gateway = None if offset is None else network.network_address + offset % (network.num_addresses - 2) + 1
    if gateway is not None and gateway == network.broadcast_address:
        return
    pools = cidrs.default_pools(network, gateway)
    covered = {int(start) + i for start, end in pools for i in range(int(end) - int(start) + 1)}
    assert covered == {int(host) for host in network.hosts()} - ({int(gateway)} if gateway else set())
