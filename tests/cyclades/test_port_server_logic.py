"""The ports a new server starts with (network contract 9, compute contract 5.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cyclades.logic import floating_ips, ports, server_ports
from cyclades.models import IPAddress, IPAddressHistory, Network, Port, Server
from synnefo.db.locks import atomic
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, ServiceUnavailable
from tests.cyclades.compute_fixtures import Person

pytestmark = [pytest.mark.db, pytest.mark.django_db]

Make = Callable[..., list[Port]]


@pytest.fixture
def make_ports(person: Person, make_server: Callable[..., Server]) -> Make:
    """Create the ports of a new server."""

    def make(requested: list[object] | None) -> list[Port]:
        with atomic():
            return server_ports.create_server_ports(
                person.credentials, server=make_server(), requested=requested
            )

    return make


def shape(made: list[Port]) -> list[tuple[int, int, list[str]]]:
    return [(port.index, port.network_id, [ip.address for ip in port.ips.all()]) for port in made]


def test_no_settings_and_no_request_mean_no_ports(make_ports: Make) -> None:
    assert make_ports(None) == []
    assert make_ports([]) == []


def test_forced_ports_come_first_and_are_no_floating_ips(
    make_ports: Make, person: Person, internet: Network, private_network: Network, settings
) -> None:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
    made = make_ports([{"uuid": str(private_network.pk)}])
    assert shape(made) == [(0, internet.pk, ["203.0.113.2"]), (1, private_network.pk, ["10.20.30.2"])]
    assert [(port.state, port.device_owner) for port in made] == [("BUILD", "vm")] * 2
    assert not IPAddress.objects.filter(floating_ip=True).exists()
    assert person.usage("cyclades.floating_ip") == (0, 0)
    [history] = IPAddressHistory.objects.all()
    assert (history.address, history.action, history.user_id) == ("203.0.113.2", "associate", person.uuid)


def test_empty_request_keeps_the_forced_ones(make_ports: Make, internet: Network, settings) -> None:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [internet.pk]
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
    assert shape(make_ports([])) == [(0, internet.pk, ["203.0.113.2"])]


def test_forced_network_may_be_somebody_elses(make_ports: Make, private_network: Network, settings) -> None:
    Network.objects.update(userid="someone-else")
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [str(private_network.pk)]
    assert shape(make_ports(None)) == [(0, private_network.pk, ["10.20.30.2"])]


@pytest.mark.parametrize("state", [{"drained": True}, {"action": "DESTROY"}, {"state": "ERROR"}], ids=str)
def test_forced_network_that_can_not_be_had_is_503(
    make_ports: Make, internet: Network, settings, state: dict[str, object]
) -> None:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [internet.pk]
    Network.objects.update(**state)
    with pytest.raises(ServiceUnavailable):
        make_ports(None)


def test_exhausted_forced_pool_is_503(make_ports: Make, internet: Network, settings) -> None:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
    for _ in range(5):
        make_ports(None)
    with pytest.raises(ServiceUnavailable):
        make_ports(None)


def test_alternatives_are_tried_in_order(
    make_ports: Make, internet: Network, make_public_network: Callable[..., Network], settings
) -> None:
    second = make_public_network("192.0.2.0/29")
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [[internet.pk, second.pk]]
    Network.objects.filter(pk=internet.pk).update(drained=True)
    assert shape(make_ports(None)) == [(0, second.pk, ["192.0.2.2"])]


def test_any_public_ipv6_wants_a_network_without_ipv4(
    make_ports: Make, make_public_network: Callable[..., Network], settings
) -> None:
    make_public_network("192.0.2.0/29", "2001:db8:1::/64")
    only6 = make_public_network(None, "2001:db8:2::/64")
    settings.CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV6"]
    assert shape(make_ports(None)) == [(0, only6.pk, [])]


def test_any_public_falls_back_to_ipv6(
    make_ports: Make, internet: Network, make_public_network: Callable[..., Network], settings
) -> None:
    only6 = make_public_network(None, "2001:db8:2::/64")
    settings.CYCLADES_FORCED_SERVER_NETWORKS = ["SNF:ANY_PUBLIC"]
    assert make_ports(None)[0].network_id == internet.pk
    Network.objects.filter(pk=internet.pk).update(drained=True)
    assert make_ports(None)[0].network_id == only6.pk


def test_default_public_ipv4_is_one_of_the_users_own_floating_ips(
    make_ports: Make, person: Person, stranger: Person, internet: Network, settings
) -> None:
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
    floating_ips.create(stranger.credentials)
    with pytest.raises(Conflict):
        make_ports(None)
    mine = floating_ips.create(person.credentials)
    assert shape(make_ports(None)) == [(0, internet.pk, [mine.address])]
    with pytest.raises(Conflict):
        make_ports(None)


def test_default_network_by_id_follows_the_users_rights(
    make_ports: Make, private_network: Network, settings
) -> None:
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = [private_network.pk]
    assert shape(make_ports(None)) == [(0, private_network.pk, ["10.20.30.2"])]
    Network.objects.update(userid="someone-else")
    with pytest.raises(Conflict):
        make_ports(None)


def test_configured_networks_that_are_gone_are_passed_over(
    make_ports: Make, private_network: Network, settings
) -> None:
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = [[10**6, private_network.pk]]
    assert shape(make_ports(None)) == [(0, private_network.pk, ["10.20.30.2"])]
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [[10**6, private_network.pk]]
    assert shape(make_ports([])) == [(0, private_network.pk, ["10.20.30.3"])]
    for unusable in (10**6, "no network", None):
        settings.CYCLADES_FORCED_SERVER_NETWORKS = [unusable]
        with pytest.raises(ServiceUnavailable):
            make_ports([])


def test_drained_network_lets_existing_floating_ips_attach(
    make_ports: Make, person: Person, internet: Network, settings
) -> None:
    settings.CYCLADES_DEFAULT_SERVER_NETWORKS = ["SNF:ANY_PUBLIC_IPV4"]
    mine = floating_ips.create(person.credentials)
    Network.objects.update(drained=True)
    assert shape(make_ports(None)) == [(0, internet.pk, [mine.address])]


def test_requested_public_network_picks_an_own_free_floating_ip(
    make_ports: Make, person: Person, internet: Network
) -> None:
    with pytest.raises(Conflict):
        make_ports([{"uuid": internet.pk}])
    first, second = (floating_ips.create(person.credentials) for _ in range(2))
    made = make_ports([{"uuid": internet.pk, "fixed_ip": second.address}, {"uuid": internet.pk}])
    assert shape(made) == [(0, internet.pk, [second.address]), (1, internet.pk, [first.address])]
    with pytest.raises(Conflict):
        make_ports([{"uuid": internet.pk, "fixed_ip": first.address}])
    with pytest.raises(NotFound):
        make_ports([{"uuid": internet.pk, "fixed_ip": "203.0.113.6"}])


def test_private_fixed_ip(make_ports: Make, private_network: Network) -> None:
    wish = {"uuid": private_network.pk, "fixed_ip": "10.20.30.40"}
    assert shape(make_ports([wish])) == [(0, private_network.pk, ["10.20.30.40"])]
    with pytest.raises(Conflict):
        make_ports([wish])
    with pytest.raises(BadRequest):
        make_ports([{"uuid": private_network.pk, "fixed_ip": "10.99.0.1"}])


def test_public_ipv6_network_is_forbidden(
    make_ports: Make, make_public_network: Callable[..., Network]
) -> None:
    only6 = make_public_network(None, "2001:db8:2::/64")
    with pytest.raises(Forbidden):
        make_ports([{"uuid": only6.pk}])


def test_existing_port_is_adopted_with_its_address(
    make_ports: Make, person: Person, private_network: Network
) -> None:
    port = ports.create(person.credentials, request=ports.PortRequest(network_id=private_network.pk))
    made = make_ports([{"uuid": private_network.pk}, {"port": str(port.pk), "uuid": "ignored"}])
    assert shape(made) == [(0, private_network.pk, ["10.20.30.3"]), (1, private_network.pk, ["10.20.30.2"])]
    port.refresh_from_db()
    assert (port.machine_id, port.state, port.index) == (made[0].machine_id, "BUILD", 1)
    with pytest.raises(Conflict):
        make_ports([{"port": port.pk}])


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ("text", BadRequest),
        ({}, BadRequest),
        ({"uuid": "x"}, BadRequest),
        ({"uuid": {}}, BadRequest),
        ({"port": "x"}, BadRequest),
        ({"uuid": 9999}, NotFound),
        ({"uuid": 0}, NotFound),
        ({"port": 9999}, NotFound),
        ({"uuid": 1, "fixed_ip": None}, BadRequest),
        ({"uuid": 1, "fixed_ip": "x"}, BadRequest),
        ({"uuid": 1, "fixed_ip": "fd00::1"}, BadRequest),
    ],
)
def test_malformed_wishes(make_ports: Make, wish: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        make_ports([wish])


def test_foreign_and_deleted_networks(make_ports: Make, private_network: Network) -> None:
    Network.objects.update(deleted=True)
    with pytest.raises(BadRequest):
        make_ports([{"uuid": private_network.pk}])
    Network.objects.update(deleted=False, userid="someone-else")
    with pytest.raises(NotFound):
        make_ports([{"uuid": private_network.pk}])


def test_ninth_interface_is_refused(
    make_ports: Make, internet: Network, private_network: Network, settings
) -> None:
    settings.CYCLADES_FORCED_SERVER_NETWORKS = [internet.pk]
    with pytest.raises(BadRequest):
        make_ports([{"uuid": private_network.pk}] * 8)


def test_a_failed_creation_leaves_nothing(make_ports: Make, private_network: Network) -> None:
    with pytest.raises(NotFound):
        make_ports([{"uuid": private_network.pk}, {"uuid": 9999}])
    assert not Port.objects.exists()
    assert shape(make_ports([{"uuid": private_network.pk}])) == [(0, private_network.pk, ["10.20.30.2"])]
