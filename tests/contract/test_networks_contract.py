"""Networks and tags, on a simulated and on a real cluster (ganeti-backend contract 2, 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from cyclades.ganeti.rapi import ANY_FINAL_STATUS, RapiRefused
from tests.contract.cluster import ContractCluster, number, prerequisite

NO_POOL = "Cannot create IP address pool for network 'bad':"
TOO_SMALL = "A network with only 2 host(s) is too small, please specify at least a /30 network"
CONFLICT = "Conflicting IP addresses found;  remove/modify the corresponding network interfaces"


def test_a_network_as_cyclades_asks_for_it(cluster: ContractCluster) -> None:
    name = f"snf-net-{number()}"
    job_id = cluster.client.CreateNetwork(
        name,
        "10.196.0.0/28",
        gateway="10.196.0.1",
        mac_prefix="aa:00:0c",
        tags=["private-filtered", "nfdhcpd", "private"],
        conflicts_check=False,
    )
    assert cluster.succeed(job_id) is None
    network = cluster.client.GetNetwork(name)
    assert network["network"] == "10.196.0.0/28"
    assert (network["gateway"], network["network6"], network["gateway6"]) == ("10.196.0.1", None, None)
    assert network["mac_prefix"] == "aa:00:0c"
    assert network["tags"] == ["nfdhcpd", "private", "private-filtered"]
    assert network["map"] == "XX.............X"
    assert (network["free_count"], network["reserved_count"]) == (13, 3)
    assert network["external_reservations"] == "10.196.0.0, 10.196.0.1, 10.196.0.15"
    assert (network["group_list"], network["inst_list"]) == ([], [])
    given = cluster.file(job_id)["ops"][0]["input"]
    assert (given["OP_ID"], given["network_name"], given["conflicts_check"]) == (
        "OP_NETWORK_ADD",
        name,
        False,
    )
    assert (given["network"], given["gateway"], given["add_reserved_ips"]) == (
        "10.196.0.0/28",
        "10.196.0.1",
        None,
    )


def test_a_network_without_ipv4_uses_a_dummy(cluster: ContractCluster) -> None:
    name = cluster.network(
        connect=False, network="10.0.0.0/29", network6="2001:db8::/64", gateway6="2001:db8::1"
    )
    network = cluster.client.GetNetwork(name)
    assert (network["network6"], network["gateway6"]) == ("2001:db8::/64", "2001:db8::1")
    assert network["map"] == "X......X"


def test_the_same_range_twice_is_allowed(cluster: ContractCluster) -> None:
    cluster.network(network="10.195.0.0/24")
    cluster.network(network="10.195.0.0/24")


def test_addresses_can_be_set_aside(cluster: ContractCluster) -> None:
    name = cluster.network(
        connect=False, network="10.194.0.0/28", add_reserved_ips=["10.194.0.9", "10.194.0.10"]
    )
    assert cluster.client.GetNetwork(name)["map"] == "X........XX....X"


def test_a_name_in_use_cannot_be_added(cluster: ContractCluster, network: str) -> None:
    uuid = cluster.client.GetNetwork(network)["uuid"]
    result = cluster.fail(cluster.client.CreateNetwork(network, "10.193.0.0/24", conflicts_check=False))
    problem = f"Desired network name '{network}' already exists as a network (UUID: {uuid})"
    assert result == prerequisite(problem, "already_exists")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mac_prefix": "xx"}, prerequisite("Invalid MAC address prefix 'xx'", "wrong_input")),
        ({"tags": ["a b"]}, ["TagError", ["Tag contains invalid characters"]]),
        (
            {"gateway": "10.9.9.9"},
            ["OpExecError", [f"{NO_POOL} 10.192.0.0/24 does not contain 10.9.9.9"]],
        ),
        (
            {"network": "10.192.0.0/31"},
            ["OpExecError", [f"{NO_POOL} {TOO_SMALL}"]],
        ),
    ],
    ids=["mac prefix", "tag", "gateway", "too small"],
)  # fmt: skip
def test_networks_that_cannot_be(
    cluster: ContractCluster, options: dict[str, Any], expected: list[Any]
) -> None:
    values = {"network": "10.192.0.0/24", "conflicts_check": False, **options}
    job_id = cluster.client.CreateNetwork("bad", values.pop("network"), **values)
    assert cluster.fail(job_id) == expected
    with pytest.raises(RapiRefused):
        cluster.client.GetNetwork("bad")


def test_the_conflicts_check_sets_the_nodes_address_aside(cluster: ContractCluster) -> None:
    (node,) = cluster.client.GetNodes(bulk=True)
    prefix, _, last = node["pip"].rpartition(".")
    checked = cluster.network(network=f"{prefix}.0/24", connect=False, conflicts_check=True)
    unchecked = cluster.network(network=f"{prefix}.0/24", connect=False, conflicts_check=False)
    assert cluster.client.GetNetwork(checked)["map"][int(last)] == "X"
    assert cluster.client.GetNetwork(unchecked)["map"][int(last)] == "."


# -- connect, disconnect ---------------------------------------------------------------------------------


def test_a_connected_network_lists_the_group(cluster: ContractCluster) -> None:
    name = cluster.network(connect=False)
    job_id = cluster.client.ConnectNetwork(name, "default", "routed", "table1", conflicts_check=False)
    assert cluster.succeed(job_id) is None
    assert cluster.client.GetNetwork(name)["group_list"] == [["default", "routed", "table1", ""]]
    given = cluster.file(job_id)["ops"][0]["input"]
    assert (given["OP_ID"], given["group_name"]) == ("OP_NETWORK_CONNECT", "default")
    assert (given["network_mode"], given["network_link"], given["network_vlan"]) == ("routed", "table1", "")


def test_connecting_twice_only_warns(cluster: ContractCluster, network: str) -> None:
    job_id = cluster.client.ConnectNetwork(network, "default", "bridged", "br0", conflicts_check=False)
    cluster.succeed(job_id)
    assert cluster.log(job_id) == [f" - WARNING: Network '{network}' is already mapped to group 'default'"]


def test_connecting_waits_for_the_network_even_if_adding_fails(
    cluster: ContractCluster, network: str
) -> None:
    added = cluster.client.CreateNetwork(network, "10.191.0.0/24", conflicts_check=False)
    connected = cluster.client.ConnectNetwork(
        network, "default", "bridged", "br0", conflicts_check=False, depends=[[added, ANY_FINAL_STATUS]]
    )
    cluster.fail(added)
    cluster.succeed(connected)


@pytest.mark.parametrize(
    ("name", "group", "problem"),
    [
        ("nothing", "default", "Network 'nothing' not found"),
        (None, "nothing", "Node group 'nothing' not found"),
    ],
)
def test_connections_that_cannot_be(
    cluster: ContractCluster, network: str, name: str | None, group: str, problem: str
) -> None:
    expected = prerequisite(problem, "unknown_entity")
    target = name or network
    connect = cluster.client.ConnectNetwork(target, group, "bridged", "br0", conflicts_check=False)
    assert cluster.fail(connect) == expected
    assert cluster.fail(cluster.client.DisconnectNetwork(target, group)) == expected


@pytest.fixture(scope="module")
def user(cluster: ContractCluster) -> str:
    """An instance with an address of no network and one of a network."""
    name = cluster.network(network="10.188.0.0/24")
    nics = [{"ip": "10.190.0.5"}, {"network": name, "ip": "10.188.0.5"}]
    return cluster.instance(nics=nics, start=False, disks=[])


def test_the_conflicts_check_finds_addresses_outside_networks(cluster: ContractCluster, user: str) -> None:
    name = cluster.network(network="10.190.0.0/24", connect=False)
    job_id = cluster.client.ConnectNetwork(name, "default", "bridged", "br0", conflicts_check=True)
    assert cluster.fail(job_id) == prerequisite(CONFLICT, "wrong_state")
    assert cluster.log(job_id) == [
        f" - WARNING: IP addresses from network '{name}', which is about to connect to node group 'default',"
        f" are in use: {user}: nic0/10.190.0.5"
    ]
    cluster.connect(name, conflicts_check=False)


def test_an_address_of_a_network_needs_the_network(cluster: ContractCluster, network: str) -> None:
    address = cluster.address(network, 50)
    body = cluster.instance_body(f"snf-{number()}", nics=[{"ip": address}])
    problem = (
        f"The requested IP address ({address}) belongs to network {network}, but the target NIC does not."
    )
    assert cluster.fail(cluster.client.CreateInstance(body)) == prerequisite(problem, "wrong_state")


def test_a_network_in_use_cannot_be_disconnected(cluster: ContractCluster, user: str) -> None:
    name = cluster.client.GetInstance(user)["nic.networks.names"][1]
    job_id = cluster.client.DisconnectNetwork(name, "default")
    assert cluster.fail(job_id) == prerequisite(CONFLICT, "wrong_state")
    assert cluster.log(job_id) == [
        f" - WARNING: IP addresses from network '{name}', which is about to disconnect from node group"
        f" 'default', are in use: {user}: nic1/10.188.0.5"
    ]


# -- removal ---------------------------------------------------------------------------------------------


def test_removal_after_disconnection(cluster: ContractCluster) -> None:
    name = cluster.network()
    disconnected = cluster.client.DisconnectNetwork(name, "default")
    removed = cluster.client.DeleteNetwork(name, depends=[[disconnected, ANY_FINAL_STATUS]])
    assert cluster.succeed(removed) is None
    with pytest.raises(RapiRefused) as caught:
        cluster.client.GetNetwork(name)
    assert caught.value.not_found


def test_disconnecting_twice_only_warns(cluster: ContractCluster, unconnected: str) -> None:
    job_id = cluster.client.DisconnectNetwork(unconnected, "default")
    cluster.succeed(job_id)
    assert cluster.log(job_id) == [f" - WARNING: Network '{unconnected}' is not mapped to group 'default'"]


def test_a_connected_network_cannot_be_removed(cluster: ContractCluster, network: str) -> None:
    result = cluster.fail(cluster.client.DeleteNetwork(network))
    assert result == prerequisite("Network still connected", "wrong_state")


def test_removing_what_is_gone_fails(cluster: ContractCluster) -> None:
    result = cluster.fail(cluster.client.DeleteNetwork("nothing"))
    assert result == prerequisite("Network 'nothing' not found", "unknown_entity")


# -- tags ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tagged(cluster: ContractCluster) -> str:
    """An instance without anything but tags."""
    return cluster.instance(start=False, disks=[], tags=["a"])


def test_an_instance_without_disks_is_diskless(cluster: ContractCluster, tagged: str) -> None:
    assert cluster.client.GetInstance(tagged)["disk_template"] == "diskless"


def test_adding_a_tag_twice_succeeds(cluster: ContractCluster, tagged: str) -> None:
    cluster.succeed(cluster.client.AddInstanceTags(tagged, ["a", "b"]))
    assert cluster.client.GetInstanceTags(tagged) == ["a", "b"]
    cluster.succeed(cluster.client.DeleteInstanceTags(tagged, ["a", "b"]))


def test_tags_are_added_and_removed(cluster: ContractCluster, tagged: str) -> None:
    name = tagged
    tags = ["cyclades:user:web*1/x+y@z", "synnefo:network:snf-nic-1:protected"]
    job_id = cluster.client.AddInstanceTags(name, tags)
    assert cluster.succeed(job_id) is None
    assert cluster.client.GetInstanceTags(name) == tags
    given = cluster.file(job_id)["ops"][0]["input"]
    assert (given["OP_ID"], given["kind"], given["name"], given["tags"]) == (
        "OP_TAGS_SET",
        "instance",
        name,
        tags,
    )
    cluster.succeed(cluster.client.DeleteInstanceTags(name, tags[:1]))
    assert cluster.client.GetInstanceTags(name) == tags[1:]
    assert cluster.client.GetInstance(name)["tags"] == tags[1:]


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("bad!tag", "Tag contains invalid characters"),
        ("a b", "Tag contains invalid characters"),
        ("a%b", "Tag contains invalid characters"),
        ("a" * 129, "Tag too long (>128 characters)"),
    ],
)
def test_tags_that_cannot_be(cluster: ContractCluster, running: str, tag: str, problem: str) -> None:
    assert cluster.fail(cluster.client.AddInstanceTags(running, [tag])) == ["TagError", [problem]]


def test_the_longest_tag(cluster: ContractCluster, tagged: str) -> None:
    cluster.succeed(cluster.client.AddInstanceTags(tagged, ["a" * 128]))


def test_removing_a_tag_that_is_not_there_fails(cluster: ContractCluster, running: str) -> None:
    result = cluster.fail(cluster.client.DeleteInstanceTags(running, ["nothing"]))
    assert result == prerequisite("Tag(s) 'nothing' not found", "unknown_entity")


def test_tags_of_an_unknown_instance(cluster: ContractCluster) -> None:
    result = cluster.fail(cluster.client.AddInstanceTags("nothing", ["a"]))
    assert result == prerequisite("Instance 'nothing' not known", "unknown_entity")


def test_tags_of_a_network(cluster: ContractCluster, network: str) -> None:
    assert cluster.client.GetNetworkTags(network) == ["nfdhcpd", "private"]


def test_cluster_tags(cluster: ContractCluster) -> None:
    cluster.succeed(cluster.client.AddClusterTags(["a:b"]))
    assert cluster.client.GetClusterTags() == ["a:b"]
    cluster.succeed(cluster.client.DeleteClusterTags(["a:b"]))
    assert cluster.client.GetClusterTags() == []
