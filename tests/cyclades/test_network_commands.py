"""The commands for networks, subnets, pools, ports, floating IPs and images (admin contract 4.3 to 4.7)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from cyclades.logic import floating_ips, network_projection
from cyclades.models import (
    Backend,
    BackendNetwork,
    IPAddressHistory,
    IPPool,
    JobIntent,
    MacPrefixPool,
    Network,
    Port,
    Server,
    Subnet,
)
from synnefo import clock
from tests.cyclades.compute_fixtures import Person
from tests.cyclades.image_fixtures import ImageUser

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def run(name: str, *args: object) -> str:
    out = io.StringIO()
    call_command(name, *[str(arg) for arg in args], stdout=out, stderr=io.StringIO())
    return out.getvalue()


def read(name: str, *args: object) -> object:
    return json.loads(run(name, *args, "--output-format", "json"))


@pytest.fixture
def projected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """What would have been made on backends: network id, backend ids."""
    made: list[tuple[int, list[int]]] = []

    def project(network: Network, backends: list[Backend]) -> dict[int, list[int]]:
        made.append((network.pk, [backend.pk for backend in backends]))
        return {backend.pk: [] for backend in backends}

    monkeypatch.setattr(network_projection, "project", project)
    return made


PUBLIC = (
    "--flavor", "CUSTOM", "--name", "public_network", "--public", "--subnet", "203.0.113.0/24",
    "--gateway", "203.0.113.1", "--dhcp", "True", "--floating-ip-pool", "True",
)  # fmt: skip


def test_public_network_as_the_guide_makes_it(
    projected: list[tuple[int, list[int]]], backend: Backend
) -> None:
    shown = read("network-create", *PUBLIC)
    network = Network.objects.get(pk=shown["id"])
    assert (network.public, network.userid, network.floating_ip_pool, network.external_router) == (
        True,
        None,
        True,
        True,
    )
    assert (network.state, network.mode, network.link, network.mac_prefix) == (
        "ACTIVE",
        "bridged",
        "br0",
        "aa:00:0",
    )
    subnet = Subnet.objects.get()
    assert (subnet.name, subnet.gateway, subnet.dhcp) == (
        f"IPv4 Subnet of Network {network.pk}",
        "203.0.113.1",
        True,
    )
    assert [(pool.offset, pool.size) for pool in IPPool.objects.all()] == [(2, 253)]
    assert projected == [(network.pk, [backend.pk])]


def test_offline_backends_are_left_out(projected: list[tuple[int, list[int]]], backend: Backend) -> None:
    Backend.objects.update(offline=True)
    run("network-create", *PUBLIC)
    assert projected[0][1] == []


def test_private_network_needs_a_user_who_is_charged(
    projected: list[object], person: Person, mac_pool: None
) -> None:
    with pytest.raises(CommandError, match="--user"):
        run("network-create", "--flavor", "MAC_FILTERED")
    run("network-create", "--flavor", "MAC_FILTERED", "--owner", "maria@lab.example")
    network = Network.objects.get()
    assert (network.userid, network.project, network.mac_prefix) == (person.uuid, person.uuid, "aa:00:1")
    assert person.usage("cyclades.network.private") == (1, 0)


@pytest.mark.parametrize(
    "options",
    [
        ("--flavor", "CUSTOM", "--public", "--dhcp", "True"),
        ("--flavor", "CUSTOM", "--public", "--gateway", "10.0.0.1"),
        ("--flavor", "CUSTOM", "--public", "--allocation-pool", "10.0.0.2,10.0.0.3"),
        ("--flavor", "CUSTOM", "--public", "--gateway6", "fd00::1"),
        ("--flavor", "CUSTOM", "--public", "--subnet", "10.0.0.0/24", "--allocation-pool", "10.0.0.2"),
        ("--flavor", "CUSTOM", "--public", "--subnet", "10.0.0.1/24"),
        ("--flavor", "CUSTOM", "--public", "--subnet", "10.0.0.0/24", "--gateway", "10.0.0.0"),
        ("--flavor", "CUSTOM", "--public", "--mac-prefix", "AA:00:0"),
        ("--flavor", "CUSTOM", "--floating-ip-pool", "True", "--user", "u"),
        ("--flavor", "IP_LESS_ROUTED", "--public"),
        ("--flavor", "MAC_FILTERED", "--public", "--mac-prefix", "aa:00:1"),
        ("--flavor", "PHYSICAL_VLAN", "--public", "--link", "br1"),
        ("--flavor", "PHYSICAL_VLAN", "--public"),
        ("--flavor", "NONE", "--public"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together(projected: list[object], options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("network-create", *options)
    assert not Network.objects.exists()


def test_flavors_take_what_the_contract_says(projected: list[object], mac_pool: None) -> None:
    run("pool-create", "--type", "bridge", "--base", "prv", "--size", "2")
    run("network-create", "--flavor", "PHYSICAL_VLAN", "--public")
    run("network-create", "--flavor", "IP_LESS_ROUTED", "--public", "--subnet", "10.0.0.0/24")
    run(
        "network-create",
        "--flavor",
        "CUSTOM",
        "--public",
        "--link",
        "br7",
        "--mode",
        "routed",
        "--tags",
        "a,b",
    )
    vlan, routed, custom = Network.objects.order_by("pk")
    assert (vlan.link, vlan.tags, vlan.mac_prefix) == ("prv1", "physical-vlan", "aa:00:0")
    assert (routed.link, routed.mode, routed.tags) == (f"snf-link-{routed.pk}", "routed", "ip-less-routed")
    assert (custom.link, custom.mode, custom.tags) == ("br7", "routed", "a,b")
    with pytest.raises(CommandError, match="link"):
        run("network-create", "--flavor", "IP_LESS_ROUTED", "--public", "--subnet", "10.0.1.0/24",
            "--link", routed.link)  # fmt: skip


def test_network_list(internet: Network, private_network: Network) -> None:
    rows = read("network-list")
    assert [row["id"] for row in rows] == [internet.pk, private_network.pk]
    assert list(rows[0]) == [
        "id", "name", "user.uuid", "state", "public", "subnet.ipv4", "gateway.ipv4", "link", "mac_prefix",
        "drained", "floating_ip_pool",
    ]  # fmt: skip
    assert [row["id"] for row in read("network-list", "--public", "--ipv6")] == [internet.pk]
    everything = ",".join(["subnets", "backends", "vms", "subnet.ipv6", "flavor"])
    assert read("network-list", "-o", everything)[1]["vms"] == 0


def test_network_inspect(internet: Network, backend: Backend) -> None:
    BackendNetwork.objects.create(network=internet, backend=backend)
    shown = read("network-inspect", f"snf-net-{internet.pk}", "--backends", "False")
    fields = {row["key"]: row["value"] for row in shown["Network"]}
    assert (fields["backend-name"], fields["free IPs"], fields["total IPs"]) == (
        f"snf-net-{internet.pk}",
        5,
        5,
    )
    assert [row["CIDR"] for row in shown["Subnets"]] == ["203.0.113.0/29"]
    assert [row["Backend"] for row in shown["Backends"]] == ["cluster.example"]


def test_network_inspect_tells_that_a_backend_is_away(internet: Network, backend: Backend) -> None:
    Backend.objects.update(offline=True)
    BackendNetwork.objects.create(network=internet, backend=backend)
    assert "error" in run("network-inspect", internet.pk)


def test_network_modify(
    internet: Network, person: Person, projected: list[tuple[int, list[int]]], backend: Backend
) -> None:
    run("network-modify", internet.pk, "--drained", "True", "--name", "renamed",
        "--add-reserved-ips", "203.0.113.2,203.0.113.3")  # fmt: skip
    internet.refresh_from_db()
    assert (internet.drained, internet.name) == (True, "renamed")
    run("network-modify", internet.pk, "--drained", "False", "--remove-reserved-ips", "203.0.113.3")
    assert floating_ips.create(person.credentials).address == "203.0.113.3"
    with pytest.raises(CommandError, match="floating"):
        run("network-modify", internet.pk, "--floating-ip-pool", "False")
    with pytest.raises(CommandError, match=r"192\.0\.2\.1"):
        run("network-modify", internet.pk, "--add-reserved-ips", "192.0.2.1")
    assert projected == []
    run("network-modify", internet.pk, "--floating-ip-pool", "True")
    run("network-modify", internet.pk, "--add-to-backend", "cluster.example")
    assert projected == [(internet.pk, [backend.pk])] * 2


def test_network_modify_moves_the_charge_to_the_new_owner(
    private_network: Network, person: Person, stranger: Person
) -> None:
    run("network-modify", private_network.pk, "--userid", stranger.uuid)
    assert person.usage("cyclades.network.private") == (0, 0)
    assert stranger.usage("cyclades.network.private") == (1, 0)
    assert Subnet.objects.get().userid == stranger.uuid


def test_nothing_is_given_to_a_user_that_is_not_there(
    private_network: Network, internet: Network, projected: list[object]
) -> None:
    for command in (
        ("network-modify", private_network.pk),
        ("network-modify", internet.pk),
        ("port-create", "--network", private_network.pk),
    ):
        with pytest.raises(CommandError, match="no user with the uuid nobody@"):
            run(*command, "--user", "nobody@example.org")


def test_network_with_servers_stays_on_its_backend(
    internet: Network, make_server: Callable[..., Server], backend: Backend
) -> None:
    with pytest.raises(CommandError, match="does not exist on backend"):
        run("network-modify", internet.pk, "--remove-from-backend", backend.pk)
    BackendNetwork.objects.create(network=internet, backend=backend)
    Port.objects.create(network=internet, machine=make_server())
    with pytest.raises(CommandError, match="connected"):
        run("network-modify", internet.pk, "--remove-from-backend", backend.pk)


def test_network_remove_takes_public_ones_and_goes_on_after_errors(internet: Network) -> None:
    with pytest.raises(CommandError, match="Not all"):
        run("network-remove", "-f", 9999, "x", internet.pk)
    internet.refresh_from_db()
    assert internet.deleted
    with pytest.raises(CommandError):
        run("network-remove", "-f", internet.pk)


@pytest.mark.parametrize("network_id", ["9999", "x", "snf-net-x", "-5"])
def test_unknown_networks_name_the_list_command(network_id: str, db: None) -> None:
    with pytest.raises(CommandError):
        run("network-inspect", network_id)


def test_subnet_commands(projected: list[object]) -> None:
    network = read("network-create", "--flavor", "CUSTOM", "--public")["id"]
    shown = read("subnet-create", "--network-id", network, "--cidr", "10.0.0.0/24", "--name", "s",
                 "--allocation-pool", "10.0.0.10,10.0.0.19", "--dns", "192.0.2.1")  # fmt: skip
    assert Subnet.objects.get().gateway is None
    run("network-modify", network, "--add-reserved-ips", "10.0.0.12")
    inspected = read("subnet-inspect", shown["id"])
    assert inspected["Pools"] == [
        {"First_IP": "10.0.0.10", "Last_IP": "10.0.0.19", "Size": 10, "Available": 9, "Reserved": 1}
    ]
    assert inspected["Externally reserved"] == [{"Address": "10.0.0.12"}]
    assert "..X......." in run("subnet-inspect", shown["id"])
    run("subnet-modify", shown["id"], "--name", "renamed")
    [row] = read("subnet-list", "--ipv4", "--dhcp", "--public")
    assert (row["name"], row["network"], row["cidr"]) == ("renamed", network, "10.0.0.0/24")
    assert read("subnet-list", "--ipv6") == []


def test_pool_commands() -> None:
    run("pool-create", "--type", "mac-prefix", "--size", "65536")
    assert MacPrefixPool.objects.get().base == "aa:00:0"
    with pytest.raises(CommandError, match="already exists"):
        run("pool-create", "--type", "mac-prefix", "--size", "10")
    pool_id = read("pool-create", "--type", "bridge", "--base", "prv", "--size", "10")["id"]
    listed = read("pool-list")
    assert [(row["size"], row["available"]) for row in listed["mac-prefix"]] == [(65536, 16383)]
    run("pool-modify", "--type", "bridge", pool_id, "--size", "12", "--add-reserved", "prv1,prv12")
    shown = read("pool-show", "--type", "bridge", pool_id)
    assert (shown["size"], shown["available"], shown["reserved"]) == (12, 10, 2)
    assert "X..........X" in run("pool-show", "--type", "bridge", pool_id)
    run("pool-modify", "--type", "bridge", pool_id, "--remove-reserved", "prv12")
    for wrong in (("--add-reserved", "prv13"), ("--add-reserved", "x"), ("--size", "0")):
        with pytest.raises(CommandError):
            run("pool-modify", "--type", "bridge", pool_id, *wrong)
    run("pool-remove", "--type", "bridge", pool_id, "-f")
    assert read("pool-list", "--type", "bridge") == {"bridge": []}
    with pytest.raises(CommandError, match="pool-list"):
        run("pool-show", "--type", "bridge", pool_id)


@pytest.mark.parametrize(
    "options",
    [
        ("bridge", "10"),
        ("mac-prefix", "0"),
        ("mac-prefix", "99999999"),
        ("mac-prefix", "10", "--base", "zz:00:0"),
        ("mac-prefix", "10", "--base", "ff:ff:f"),
    ],
    ids=" ".join,
)
def test_pools_that_can_not_be(options: tuple[str, ...], db: None) -> None:
    kind, size, *rest = options
    with pytest.raises(CommandError):
        run("pool-create", "--type", kind, "--size", size, *rest)


def test_pool_of_mac_prefixes_withholds_what_is_unusable_however_it_changes(db: None) -> None:
    pool = ("--type", "mac-prefix", read("pool-create", "--type", "mac-prefix", "--size", "4096")["id"])
    run("pool-modify", *pool, "--size", "65536")
    assert read("pool-show", *pool)["available"] == 16383
    run("pool-modify", *pool, "--size", "4096", "--base", "b2:00:0")
    assert read("pool-show", *pool)["available"] == 4095


def test_pool_in_use_is_neither_shrunk_nor_renamed_nor_removed(projected: list[object]) -> None:
    pool_id = read("pool-create", "--type", "bridge", "--base", "prv", "--size", "2")["id"]
    for _ in range(2):
        run("network-create", "--flavor", "PHYSICAL_VLAN", "--public")
    with pytest.raises(CommandError):
        run("pool-modify", "--type", "bridge", pool_id, "--size", "1")
    with pytest.raises(CommandError, match="in use"):
        run("pool-modify", "--type", "bridge", pool_id, "--base", "vlan")
    with pytest.raises(CommandError, match="in use"):
        run("pool-remove", "--type", "bridge", pool_id, "-f")


def test_floating_ip_commands(person: Person, internet: Network) -> None:
    shown = read("floating-ip-create", "--owner", "maria@lab.example", "--network", internet.pk)
    assert shown["address"] == "203.0.113.2"
    assert person.usage("cyclades.floating_ip") == (1, 0)
    [row] = read("floating-ip-list", "-u", person.uuid)
    assert (row["address"], row["server"]) == ("203.0.113.2", None)
    assert read("floating-ip-show", shown["id"], "--display-mails")["username"] == "maria@lab.example"
    with pytest.raises(CommandError, match="not attached"):
        run("floating-ip-detach", shown["id"])
    run("floating-ip-remove", "-f", shown["id"])
    assert person.usage("cyclades.floating_ip") == (0, 0)
    assert read("floating-ip-list") == []
    assert len(read("floating-ip-list", "--deleted")) == 1


@pytest.fixture
def no_backend(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands tell of jobs that no backend will see."""
    followed: list[str] = []
    import importlib

    for name in ("port-create", "port-remove", "floating-ip-attach", "floating-ip-detach"):
        module = importlib.import_module(f"cyclades.management.commands.{name}")
        monkeypatch.setattr(module, "follow", lambda command, intent, wait: followed.append(intent.operation))
    return followed


def test_port_and_attach_commands(
    person: Person, internet: Network, make_server: Callable[..., Server], no_backend: list[str]
) -> None:
    server = make_server()
    ip = floating_ips.create(person.credentials)
    run("floating-ip-attach", ip.pk, "--machine", server.pk)
    port = Port.objects.get()
    assert (port.machine_id, port.userid, port.ips.get().pk) == (server.pk, person.uuid, ip.pk)
    Server.objects.update(task="")
    run("floating-ip-detach", ip.pk)
    assert no_backend == ["CONNECT", "DISCONNECT"]
    Server.objects.update(task="")
    run("port-create", "--network", internet.pk, "--server", server.pk)
    [_, forced] = read("port-list", "--server", server.pk, "--public")
    assert forced["fixed_ips"] == ["203.0.113.3"]
    inspected = read("port-inspect", f"snf-nic-{forced['id']}", "--jobs")
    assert [row["Address"] for row in inspected["Addresses"]] == ["203.0.113.3"]
    assert len(inspected["Jobs"]) == 3
    Server.objects.update(task="")
    run("port-remove", "-f", forced["id"])
    assert JobIntent.objects.count() == 4
    with pytest.raises(CommandError, match="--user"):
        run("port-create", "--network", internet.pk)
    run("port-create", "--network", internet.pk, "--user", person.uuid)


def test_a_released_floating_ip_is_not_mistaken_for_its_addresss_next_owner(
    person: Person, stranger: Person, internet: Network, make_server: Callable[..., Server]
) -> None:
    old = floating_ips.create(person.credentials)
    floating_ips.delete(person.credentials, ip_id=old.pk)
    assert floating_ips.create(stranger.credentials).address == old.address
    with pytest.raises(CommandError, match="was released"):
        run("floating-ip-attach", old.pk, "--machine", make_server().pk)
    with pytest.raises(CommandError, match="was released"):
        run("port-create", "--network", internet.pk, "--user", person.uuid, "--floating-ip", old.pk)


def test_administrators_choose_plain_addresses_of_public_networks_unless_they_are_drained(
    person: Person, internet: Network
) -> None:
    wanted = ("port-create", "--network", internet.pk, "--user", person.uuid, "--ipv4-address", "203.0.113.4")
    run(*wanted)
    assert not Port.objects.get().ips.get().floating_ip
    with pytest.raises(CommandError, match="in use"):
        run(*wanted)
    ip = floating_ips.create(person.credentials)
    Network.objects.update(drained=True)
    run(*wanted[:-1], ip.address)
    assert Port.objects.last().ips.get().pk == ip.pk
    with pytest.raises(CommandError, match="drained"):
        run(*wanted[:-2])


def test_ip_list_is_ordered_by_date() -> None:
    for server, action in ((1, "associate"), (1, "disassociate"), (2, "associate")):
        IPAddressHistory.objects.create(
            address="203.0.113.2", server_id=server, network_id=1, action=action, action_date=clock.now()
        )
    rows = read("ip-list", "--address", "203.0.113.2")
    assert [(row["server"], row["action"]) for row in rows] == [
        (1, "associate"),
        (1, "disassociate"),
        (2, "associate"),
    ]
    assert len(read("ip-list", "--server", "snf-2")) == 1
    assert read("ip-list", "--active") == []


def test_ip_list_pairs_the_begin_and_the_end_of_each_use() -> None:
    moments = [clock.now() - timedelta(hours=hours) for hours in (5, 4, 3, 2)]
    for server, action, moment in (
        (1, "associate", moments[0]),
        (1, "disassociate", moments[1]),
        (2, "associate", moments[2]),
        (1, "associate", moments[3]),
    ):
        IPAddressHistory.objects.create(
            address="203.0.113.2", server_id=server, network_id=1, action=action, action_date=moment
        )
    rows = read("ip-list", "-o", "server,allocated_at,released_at,active")
    shown = [[row["allocated_at"], row["released_at"], row["active"]] for row in rows]
    first, end, second, again = [row["date"] for row in read("ip-list", "-o", "date")]
    assert shown == [
        [first, end, False],
        [first, end, False],
        [second, None, True],
        [again, None, True],
    ]


def test_image_commands(owner: ImageUser, reader: ImageUser, registered_image: str) -> None:
    [row] = read("image-list")
    assert row == {
        "id": registered_image,
        "name": "Debian",
        "user.uuid": owner.uuid,
        "public": False,
        "snapshot": False,
    }
    assert read("image-list", "--public") == []
    assert len(read("image-list", "--user-id", "owner@lab.example")) == 1
    assert read("image-list", "--user", reader.uuid) == []
    shown = read("image-show", registered_image)
    assert (shown["status"], shown["store"], shown["properties"]["osfamily"]) == (
        "AVAILABLE",
        "pithos",
        "linux",
    )
    assert shown["mapfile"]
    for wrong in ("x", "11111111-1111-1111-1111-111111111111"):
        with pytest.raises(CommandError):
            run("image-show", wrong)
