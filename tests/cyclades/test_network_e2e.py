"""Networks and ports from the API through a simulated Ganeti and back (network contract 6 and 10)."""

# ruff: noqa: F811
from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from django.core.management import call_command

from cyclades.ganeti import clients, names
from cyclades.logic import floating_ips, value_pools
from cyclades.models import IPAddress, IPAddressHistory, Network, NetworkState, Port, Server
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.network_fixtures import NetworkApi
from tests.cyclades.test_address_logic import assert_pool_agrees_with_rows
from tests.cyclades.test_dispatcher_e2e import Cloud, cloud, create, fresh  # noqa: F401

pytestmark = [pytest.mark.functional, pytest.mark.django_db(transaction=True)]


def network_in_ganeti(cloud: Cloud, network: Network) -> dict[str, object] | None:
    with clients.rapi_for(cloud.backend) as rapi:
        found = [n for n in rapi.GetNetworks(bulk=True) if n["name"] == names.network_name(network.pk)]
    return found[0] if found else None


def idle(server: Server) -> bool:
    return not fresh(server).task


def test_public_network_is_made_by_command_and_removed(cloud: Cloud) -> None:
    call_command(
        "network-create", "--flavor", "CUSTOM", "--public", "--name", "public", "--subnet", "203.0.113.0/24",
        "--gateway", "203.0.113.1", "--subnet6", "2001:db8::/64", "--gateway6", "2001:db8::1",
        "--dhcp", "True", "--floating-ip-pool", "True", stdout=io.StringIO(), stderr=io.StringIO(),
    )  # fmt: skip
    network = Network.objects.get()
    shown = network_in_ganeti(cloud, network)
    assert shown is not None
    assert (shown["network"], shown["gateway"]) == ("203.0.113.0/24", "203.0.113.1")
    assert (shown["network6"], shown["gateway6"]) == ("2001:db8::/64", "2001:db8::1")
    assert sorted(shown["tags"]) == ["nfdhcpd", "public"]
    assert len(shown["group_list"]) == 1
    cloud.until(lambda: network.backend_networks.get().operstate == NetworkState.ACTIVE)
    out = io.StringIO()
    call_command("network-inspect", str(network.pk), stdout=out)
    assert "203.0.113.0/24" in out.getvalue()
    call_command("network-remove", "-f", str(network.pk), stdout=io.StringIO(), stderr=io.StringIO())
    cloud.until(lambda: Network.objects.get().deleted)
    assert network_in_ganeti(cloud, network) is None


@pytest.fixture
def server(cloud: Cloud, create: Callable[[], Server]) -> Server:
    made = create()
    cloud.until(lambda: idle(made))
    return made


def test_private_network_lives_from_creation_to_removal(
    cloud: Cloud, server: Server, api: NetworkApi, person: Person, mac_pool: None
) -> None:
    made = api.post("networks", {"network": {"type": "MAC_FILTERED", "name": "lab"}}).json()["network"]
    network = Network.objects.get(pk=made["id"])
    for cidr, version in (("10.0.1.0/28", 4), ("fd00:1::/64", 6)):
        body = {"network_id": made["id"], "cidr": cidr, "ip_version": version, "gateway_ip": None}
        assert api.post("subnets", {"subnet": body}).status_code == 201
    assert network_in_ganeti(cloud, network) is None
    port = api.post("ports", {"port": {"network_id": made["id"], "device_id": server.pk}}).json()["port"]
    assert port["status"] == "BUILD"
    cloud.until(lambda: idle(server))
    shown = api.get(f"ports/{port['id']}").json()["port"]
    assert shown["status"] == "ACTIVE"
    assert shown["mac_address"].startswith(f"{network.mac_prefix}0:")
    assert shown["fixed_ips"][0]["ip_address"] == "10.0.1.1"
    assert shown["fixed_ips"][1]["ip_address"].startswith("fd00:1::")
    assert network_in_ganeti(cloud, network) is not None
    assert api.delete(f"networks/{network.pk}").status_code == 409
    assert api.delete(f"ports/{port['id']}").status_code == 204
    cloud.until(lambda: idle(server))
    assert api.get(f"ports/{port['id']}").status_code == 404
    assert not IPAddress.objects.filter(network=network).exists()
    assert_pool_agrees_with_rows(network)
    assert api.delete(f"networks/{network.pk}").status_code == 204
    cloud.until(lambda: api.get(f"networks/{network.pk}").json()["network"]["status"] == "DELETED")
    assert network_in_ganeti(cloud, network) is None
    assert person.usage("cyclades.network.private") == (0, 0)
    pool = value_pools.list_pools(value_pools.MAC_PREFIX)[0]
    assert pool.bits.is_free(pool.values.index(network.mac_prefix))


def test_floating_ip_is_put_on_a_running_server_and_taken_off(
    cloud: Cloud, server: Server, api: NetworkApi, person: Person, public_network: Network
) -> None:
    Network.objects.update(floating_ip_pool=True)
    ip = floating_ips.create(person.credentials, network_id=public_network.pk)
    body = {
        "network_id": public_network.pk,
        "device_id": server.pk,
        "fixed_ips": [{"ip_address": ip.address}],
    }
    port = api.post("ports", {"port": body}).json()["port"]
    cloud.until(lambda: idle(server))
    assert api.get(f"ports/{port['id']}").json()["port"]["status"] == "ACTIVE"
    assert api.get(f"floatingips/{ip.pk}").json()["floatingip"]["instance_id"] == str(server.pk)
    assert Port.objects.filter(machine=server).count() == 2
    assert api.delete(f"ports/{port['id']}").status_code == 204
    cloud.until(lambda: idle(server))
    assert api.get(f"floatingips/{ip.pk}").json()["floatingip"]["port_id"] is None
    assert api.delete(f"floatingips/{ip.pk}").status_code == 204
    assert_pool_agrees_with_rows(public_network)
    actions = IPAddressHistory.objects.filter(address=ip.address).values_list("action", flat=True)
    assert list(actions) == ["associate", "disassociate"]


def test_a_removed_server_gives_its_addresses_back(
    cloud: Cloud, server: Server, person: Person, public_network: Network
) -> None:
    assert IPAddress.objects.count() == 1
    assert person.api.delete(f"servers/{server.pk}").status_code == 204
    cloud.until(lambda: fresh(server).deleted)
    assert not IPAddress.objects.exists()
    assert_pool_agrees_with_rows(public_network)
