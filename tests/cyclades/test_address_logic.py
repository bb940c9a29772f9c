"""Addresses: pools under concurrency, history, what Ganeti reports (network contract 8, 9, 14)."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Sequence

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from cyclades.logic import addresses, floating_ips, interfaces, networks, ports, server_ports, value_pools
from cyclades.logic.address_pools import AddressPool
from cyclades.models import IPAddress, IPAddressHistory, IPPool, Network, Port, Server, Task
from synnefo.db.locks import atomic
from synnefo.errors import Conflict, ServiceUnavailable
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.network_fixtures import make_public
from tests.markers import needs_postgres


@pytest.mark.unit
@given(st.binary(min_size=6, max_size=6))
def test_eui64_flips_the_local_bit_and_inserts_fffe(raw: bytes) -> None:
    address = ipaddress.IPv6Address(addresses.eui64(raw.hex(":"), "fd00:1::/64"))
    packed = address.packed
    assert packed[:8] == ipaddress.IPv6Address("fd00:1::").packed[:8]
    assert packed[11:13] == b"\xff\xfe"
    assert bytes([packed[8] ^ 2]) + packed[9:11] + packed[13:] == raw


@pytest.mark.unit
def test_eui64_is_written_compressed() -> None:
    assert addresses.eui64("aa:0c:21:5e:10:02", "2001:db8::/64") == "2001:db8::a80c:21ff:fe5e:1002"
    with pytest.raises(ValueError, match="MAC"):
        addresses.eui64("aa:0c:21:5e:10", "2001:db8::/64")


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    """Run *work* at once in threads; return results and exceptions."""
    results: list[object] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    return results


def assert_pool_agrees_with_rows(network: Network) -> None:
    """Every address in use is marked, nothing else is."""
    used = set(IPAddress.objects.filter(network=network, deleted=False).values_list("address", flat=True))
    marked = set()
    for row in IPPool.objects.filter(subnet__network=network).select_related("subnet"):
        pool = AddressPool(row)
        marked |= {
            pool.values.value(index) for index, mark in enumerate(pool.bits.available_text()) if mark == "X"
        }
    assert marked == used


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_threads_never_get_the_same_address(person: Person) -> None:
    network = make_public("203.0.113.0/28")
    results = in_threads(
        10,
        lambda number: floating_ips.create(person.credentials, network_id=network.pk if number % 2 else None),
    )
    taken = [result.address for result in results if isinstance(result, IPAddress)]
    assert len(taken) == len(set(taken)) == 10, results
    assert_pool_agrees_with_rows(network)


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_more_threads_than_addresses(person: Person) -> None:
    network = make_public("203.0.113.0/29")
    results = in_threads(8, lambda number: floating_ips.create(person.credentials, network_id=network.pk))
    assert sorted(ip.address for ip in results if isinstance(ip, IPAddress)) == [
        f"203.0.113.{n}" for n in range(2, 7)
    ]
    assert all(isinstance(result, IPAddress | Conflict) for result in results), results
    assert person.usage("cyclades.floating_ip") == (5, 0)


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_release_and_allocation_at_once_lose_no_update(person: Person) -> None:
    network = make_public("203.0.113.0/28")
    old = [floating_ips.create(person.credentials, network_id=network.pk) for _ in range(4)]

    def work(number: int) -> object:
        if number < 4:
            return floating_ips.delete(person.credentials, ip_id=old[number].pk)
        return floating_ips.create(person.credentials)

    results = in_threads(8, work)
    assert not [result for result in results if isinstance(result, Exception)], results
    assert_pool_agrees_with_rows(network)
    assert person.usage("cyclades.floating_ip") == (4, 0)


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_threads_never_get_the_same_mac_prefix(person: Person, mac_pool: None) -> None:
    results = in_threads(6, lambda _: networks.create(person.credentials, flavor_name="MAC_FILTERED"))
    prefixes = [network.mac_prefix for network in results if isinstance(network, Network)]
    assert len(set(prefixes)) == 6, results


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_servers_on_the_same_networks_in_opposite_order(
    make_server: Callable[..., Server], person: Person, mac_pool: None
) -> None:
    made = [make_public(f"10.0.{n}.0/24") for n in range(3)]
    Network.objects.update(public=False, userid=person.uuid)
    servers = [make_server() for _ in range(6)]

    def work(number: int) -> Sequence[Port]:
        order = made if number % 2 else made[::-1]
        with atomic():
            return server_ports.create_server_ports(
                person.credentials,
                server=servers[number],
                requested=[{"uuid": str(network.pk)} for network in order],
            )

    results = in_threads(6, work)
    assert not [result for result in results if isinstance(result, Exception)], results
    for network in made:
        assert_pool_agrees_with_rows(network)
        assert network.ips.count() == 6


@needs_postgres
@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_a_port_is_given_to_one_server_only(
    make_server: Callable[..., Server], person: Person, mac_pool: None
) -> None:
    network = make_public("10.0.0.0/24")
    Network.objects.update(public=False, userid=person.uuid)
    port = ports.create(person.credentials, request=ports.PortRequest(network_id=network.pk))
    servers = [make_server() for _ in range(3)]

    def work(number: int) -> object:
        if number == 3:
            return ports.delete(person.credentials, port_id=port.pk)
        if number == 2:
            return interfaces.attach_port(person.credentials, server_id=servers[number].pk, port_id=port.pk)
        with atomic():
            return server_ports.create_server_ports(
                person.credentials, server=servers[number], requested=[{"port": port.pk}]
            )

    results = in_threads(4, work)
    refused = {number for number, result in enumerate(results) if isinstance(result, Exception)}
    winners = {0, 1, 2} - refused
    assert len(winners) <= 1, results
    assert set(Port.objects.filter(machine__isnull=False).values_list("machine", flat=True)) == {
        servers[number].pk for number in winners
    }
    for number in winners:
        # Who deletes a port that was just given to a server has it disconnected.
        task = Server.objects.get(pk=servers[number].pk).task
        if number == 2:
            # Unless it is still being connected.
            assert (task, 3 in refused) == (Task.CONNECT, True), results
        else:
            assert task == ("" if 3 in refused else Task.DISCONNECT), results
    if not winners:
        assert not Port.objects.exists(), results
    assert_pool_agrees_with_rows(network)


@pytest.fixture
def server_port(make_server: Callable[..., Server], make_public_network: Callable[..., Network]) -> Port:
    """A forced port of a server on a public network with both versions."""
    network = make_public_network("203.0.113.0/28", "2001:db8::/64")
    server = make_server()
    port = Port.objects.create(network=network, machine=server, userid=server.userid)
    with atomic():
        addresses.allocate_address(port, network.subnets.get(ipversion=4))
    return port


def _history() -> list[tuple[str, str, str]]:
    return list(IPAddressHistory.objects.values_list("action", "address", "action_reason"))


@pytest.mark.db
@pytest.mark.django_db
def test_what_ganeti_reports_is_stored_and_recorded(server_port: Port) -> None:
    ipv6 = "2001:db8::a80c:21ff:fe5e:1002"
    with atomic():
        assert addresses.set_port_addresses(server_port, "203.0.113.9", ipv6)
    assert sorted(server_port.ips.values_list("ipversion", "address")) == [(4, "203.0.113.9"), (6, ipv6)]
    pool = AddressPool(IPPool.objects.select_related("subnet").get())
    assert [i for i, mark in enumerate(pool.bits.available_text()) if mark == "X"] == [7]
    assert _history() == [
        ("disassociate", "203.0.113.2", f"remove ip from port {server_port.pk}"),
        ("associate", "203.0.113.9", f"change address of port {server_port.pk}"),
        ("associate", ipv6, f"change address of port {server_port.pk}"),
    ]
    row = IPAddressHistory.objects.first()
    assert (row.server_id, row.network_id, row.user_id) == (
        server_port.machine_id,
        server_port.network_id,
        server_port.machine.userid,
    )


@pytest.mark.db
@pytest.mark.django_db
def test_the_same_report_again_changes_nothing(server_port: Port, django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        assert not addresses.set_port_addresses(server_port, "203.0.113.2", None)
    assert _history() == []


@pytest.mark.db
@pytest.mark.django_db
def test_address_of_another_port_stays_there(server_port: Port) -> None:
    other = Port.objects.create(network=server_port.network)
    with atomic():
        addresses.reserve_exact(other, server_port.network, "203.0.113.5")
        addresses.set_port_addresses(server_port, "203.0.113.5", None)
    assert IPAddress.objects.get(address="203.0.113.5").nic_id == other.pk
    assert not server_port.ips.exists()


@pytest.mark.db
@pytest.mark.django_db
def test_a_port_that_was_moved_to_another_network_leaves_nothing_behind(
    server_port: Port, make_public_network: Callable[..., Network]
) -> None:
    former, other = server_port.network, make_public_network("203.0.113.0/28")
    server_port.network = other
    server_port.save()
    with atomic():
        assert addresses.set_port_addresses(server_port, "203.0.113.2", None)
    assert server_port.ips.get().network_id == other.pk
    for network in (former, other):
        assert_pool_agrees_with_rows(network)
    rows = IPAddressHistory.objects.order_by("pk").values_list("action", "network_id")
    assert list(rows) == [("disassociate", former.pk), ("associate", other.pk)]


@pytest.mark.db
@pytest.mark.django_db
def test_removed_ports_free_their_addresses(server_port: Port) -> None:
    with atomic():
        ports.delete_port_rows([server_port], "server destroyed")
    assert not Port.objects.exists()
    assert not IPAddress.objects.exists()
    assert_pool_agrees_with_rows(Network.objects.get())
    assert _history() == [
        ("disassociate", "203.0.113.2", f"remove ip from port {server_port.pk} (server destroyed)")
    ]


@pytest.mark.db
@pytest.mark.django_db
def test_reservation_in_ganeti_withholds_the_address(internet: Network, person: Person) -> None:
    with atomic():
        addresses.reserve_external(internet, ["203.0.113.2", "192.0.2.1"])
    assert floating_ips.create(person.credentials, network_id=internet.pk).address == "203.0.113.3"


@pytest.mark.db
@pytest.mark.django_db
def test_private_addresses_leave_no_history(
    person: Person, private_network: Network, make_server: Callable[..., Server]
) -> None:
    port = Port.objects.create(network=private_network, machine=make_server())
    with atomic():
        addresses.set_port_addresses(port, "10.20.30.9", None)
        ports.delete_port_rows([port], None)
    assert _history() == []


@pytest.mark.db
@pytest.mark.django_db
def test_mac_prefix_pool_missing_is_503(person: Person) -> None:
    with pytest.raises(ServiceUnavailable):
        networks.create(person.credentials, flavor_name="MAC_FILTERED")
    assert not value_pools.list_pools(value_pools.MAC_PREFIX)
