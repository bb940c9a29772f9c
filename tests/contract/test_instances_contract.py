"""The life of instances, on a simulated and on a real cluster (ganeti-backend contract 3, 3.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from cyclades.ganeti.rapi import ANY_FINAL_STATUS, RapiRefused
from tests.contract.cluster import ContractCluster, number, prerequisite

NOT_ENABLED = (
    "Disk template 'plain' is not enabled in cluster."
    " Enabled disk templates are: file,diskless,sharedfile,ext"
)


@pytest.fixture(scope="module")
def switched(cluster: ContractCluster) -> str:
    """An instance that tests start and stop."""
    return cluster.instance(start=False)


@pytest.fixture
def instance(cluster: ContractCluster, switched: str) -> str:
    """A stopped instance of one disk and no NIC."""
    if status(cluster, switched) != "ADMIN_down":
        cluster.succeed(cluster.client.ShutdownInstance(switched))
    return switched


@dataclass(frozen=True)
class Created:
    """An instance as Cyclades asks for it, and its job."""

    name: str
    address: str
    job_id: int


@pytest.fixture(scope="module")
def created(cluster: ContractCluster, network: str) -> Created:
    """An instance with everything, which tests leave as it is."""
    name, address = f"snf-{number()}", cluster.address(network, 7)
    body = cluster.instance_body(
        name,
        nics=[{"name": f"{name}-nic", "network": network, "ip": address}],
        beparams={"auto_balance": True, "vcpus": 2, "memory": 64},
        tags=["cyclades:user:web"],
    )
    job_id = cluster.client.CreateInstance(body, reason="req-1")
    cluster.job(job_id)
    return Created(name, address, job_id)


def status(cluster: ContractCluster, name: str) -> str:
    return str(cluster.client.GetInstance(name)["status"])


# -- creation --------------------------------------------------------------------------------------------


def test_creation_as_cyclades_asks_for_it(cluster: ContractCluster, network: str, created: Created) -> None:
    name, address, job_id = created.name, created.address, created.job_id
    (node,) = cluster.succeed(job_id)
    instance = cluster.client.GetInstance(name)
    assert instance["pnode"] == node
    assert instance["status"] == "running"
    assert instance["tags"] == ["cyclades:user:web"]
    assert (instance["nic.ips"], instance["nic.names"]) == ([address], [f"{name}-nic"])
    assert instance["nic.networks.names"] == [network]
    assert (instance["nic.modes"], instance["nic.links"]) == (["bridged"], ["br0"])
    assert re.fullmatch(r"aa:00:0b(:[0-9a-f]{2}){3}", instance["nic.macs"][0])
    assert instance["disk.names"] == [f"{name}-vol"]
    assert instance["custom_beparams"] == {"auto_balance": True, "vcpus": 2, "minmem": 64, "maxmem": 64}
    given = cluster.file(job_id)["ops"][0]["input"]
    assert (given["instance_name"], given["os_type"]) == (name, "snf-image+default")
    assert (given["pnode"], given["iallocator"], given["hypervisor"]) == (node, "hail", "fake")
    assert given["opportunistic_locking"] is True
    assert given["nics"] == [{"name": f"{name}-nic", "network": network, "ip": address}]
    assert {
        "* creating instance disks...",
        "* running the instance OS create scripts...",
        "* starting instance...",
    } <= set(cluster.log(job_id))


def test_a_null_address_in_a_creation_is_left_out(cluster: ContractCluster, network: str) -> None:
    name = f"snf-{number()}"
    nics = [{"name": f"{name}-nic", "network": network, "ip": None}]
    body = cluster.instance_body(name, nics=nics, disks=[], start=False)
    job_id = cluster.client.CreateInstance(body)
    cluster.succeed(job_id)
    assert cluster.client.GetInstance(name)["nic.ips"] == [None]
    assert "ip" not in cluster.file(job_id)["ops"][0]["input"]["nics"][0]


def test_a_dry_run_creation_answers_with_the_nodes_uuid(cluster: ContractCluster) -> None:
    name = f"snf-{number()}"
    result = cluster.succeed(cluster.client.CreateInstance(cluster.instance_body(name), dry_run=True))
    (node,) = cluster.client.GetNodes(bulk=True)
    assert result == [node["uuid"]]
    with pytest.raises(RapiRefused):
        cluster.client.GetInstance(name)


def test_the_name_must_be_new(cluster: ContractCluster, running: str) -> None:
    problem = f"Instance '{running}' is already in the cluster"
    result = cluster.fail(cluster.client.CreateInstance(cluster.instance_body(running)))
    assert result == prerequisite(problem, "already_exists")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "bad name!"}, prerequisite("Invalid hostname 'bad name!'", "wrong_input")),
        ({"tags": ["a b"]}, ["TagError", ["Tag contains invalid characters"]]),
        (
            {"disk_template": "plain"},
            prerequisite(NOT_ENABLED),
        ),
        (
            {"hvparams": {"serial_console": False}},
            ["HypervisorError", ["Parameter 'serial_console' is not supported"]],
        ),
        ({"nics": [{"network": "nothing"}]}, prerequisite("Network 'nothing' not found", "unknown_entity")),
        (
            {"nics": [{"name": "n"}, {"name": "n"}]},
            prerequisite("NIC name 'n' already used", "resource_not_unique"),
        ),
        (
            {"nics": [{"name": "5"}]},
            prerequisite("Invalid name '5'. Purely numeric NIC names are not allowed", "wrong_input"),
        ),
        (
            {"disks": [{"name": "d", "size": 16}, {"name": "d", "size": 16}]},
            prerequisite("disk name 'd' already used", "resource_not_unique"),
        ),
    ],
    ids=["name", "tag", "template", "hvparam", "network", "nic name", "numeric name", "disk name"],
)  # fmt: skip
def test_creations_that_cannot_be(
    cluster: ContractCluster, changes: dict[str, Any], expected: list[Any]
) -> None:
    body = cluster.instance_body(f"snf-{number()}", **changes)
    assert cluster.fail(cluster.client.CreateInstance(body)) == expected


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"osparams": {"odd": "1"}}, "The following parameters are not supported by the OS snf-image: odd"),
        ({"os": "odd+default"}, "Directory for OS odd not found in search path"),
    ],
)
def test_the_operating_system_is_checked(
    cluster: ContractCluster, changes: dict[str, Any], problem: str
) -> None:
    body = cluster.instance_body(f"snf-{number()}", **changes)
    (node,) = cluster.client.GetNodes()
    text = f"OS Parameters validation failed on node {node['id']}: {problem}"
    assert cluster.fail(cluster.client.CreateInstance(body)) == ["OpExecError", [text]]


@pytest.mark.parametrize(
    ("beparams", "cause"),
    [({"vcpus": 33, "memory": 32}, "FailCPU"), ({"vcpus": 1, "memory": 32768}, None)],
)
def test_what_fits_nowhere_is_insufficient_resources(
    cluster: ContractCluster, beparams: dict[str, int], cause: str | None
) -> None:
    if cause is None:
        # More than the node has left, whatever that is, stays within the policy only on a small node.
        (node,) = cluster.client.GetNodes(bulk=True)
        if node["mfree"] >= beparams["memory"]:
            beparams, cause = {"vcpus": 1, "memory": 32769}, "FailMem"
        else:
            cause = "FailMem"
    body = cluster.instance_body(f"snf-{number()}", beparams=beparams, opportunistic_locking=False)
    kind, (text, code) = cluster.fail(cluster.client.CreateInstance(body))
    assert (kind, code) == ("OpPrereqError", "insufficient_resources")
    assert text == (
        "Can't compute nodes using iallocator 'hail': Request failed: Group default (preferred):"
        f" No valid allocation solutions, failure reasons: {cause}: 1"
    )


def test_an_address_can_be_given_only_once(cluster: ContractCluster, network: str, created: Created) -> None:
    address = created.address
    nics = [{"network": network, "ip": address}]
    body = cluster.instance_body(f"snf-{number()}", nics=nics)
    problem = f"IP address {address} already in use or does not belong to network {network}"
    assert cluster.fail(cluster.client.CreateInstance(body)) == prerequisite(problem, "resource_not_unique")


def test_mode_and_link_come_from_the_network(cluster: ContractCluster, network: str) -> None:
    body = cluster.instance_body(f"snf-{number()}", nics=[{"network": network, "mode": "bridged"}])
    problem = "If network is given, no mode or link is allowed to be passed"
    assert cluster.fail(cluster.client.CreateInstance(body)) == prerequisite(problem, "wrong_input")


def test_pool_addresses_are_the_lowest_free_ones(cluster: ContractCluster) -> None:
    network = cluster.network()
    nics = [{"network": network, "ip": "pool"}, {"network": network, "ip": "pool"}]
    name = cluster.instance(nics=nics, start=False, disks=[])
    assert cluster.client.GetInstance(name)["nic.ips"] == [
        cluster.address(network, 1),
        cluster.address(network, 2),
    ]


def test_a_full_pool_fails_the_creation(cluster: ContractCluster) -> None:
    network = cluster.network(network="10.198.0.0/30")
    nics = [{"network": network, "ip": "pool"}] * 3
    body = cluster.instance_body(f"snf-{number()}", nics=nics)
    problem = "Unable to get a free IP for NIC 2 from the address pool"
    assert cluster.fail(cluster.client.CreateInstance(body)) == prerequisite(problem, "wrong_state")


def test_a_network_that_is_not_connected_cannot_be_used(cluster: ContractCluster, unconnected: str) -> None:
    name = f"snf-{number()}"
    body = cluster.instance_body(name, nics=[{"network": unconnected}])
    result = cluster.fail(cluster.client.CreateInstance(body))
    problem = f"group default is not connected to a network required by instance {name}"
    text = f"Can't compute nodes using iallocator 'hail': Request failed: {problem}"
    assert result == prerequisite(text, "insufficient_resources")


def test_creation_may_depend_on_the_networks_jobs(cluster: ContractCluster) -> None:
    network, name = f"snf-net-{number()}", f"snf-{number()}"
    added = cluster.client.CreateNetwork(network, "10.197.0.0/24", conflicts_check=False)
    connected = cluster.client.ConnectNetwork(
        network, "default", "bridged", "br0", conflicts_check=False, depends=[[added, ANY_FINAL_STATUS]]
    )
    body = cluster.instance_body(
        name,
        nics=[{"network": network, "ip": "10.197.0.9"}],
        disks=[],
        start=False,
        depends=[[connected, ANY_FINAL_STATUS]],
    )
    cluster.succeed(cluster.client.CreateInstance(body))
    assert cluster.client.GetInstance(name)["nic.ips"] == ["10.197.0.9"]


# -- start, stop, restart --------------------------------------------------------------------------------


def test_start_and_stop(cluster: ContractCluster, instance: str) -> None:
    assert status(cluster, instance) == "ADMIN_down"
    assert cluster.succeed(cluster.client.StartupInstance(instance)) is None
    shown = cluster.client.GetInstance(instance)
    assert (shown["status"], shown["admin_state"], shown["oper_state"]) == ("running", "up", True)
    assert cluster.succeed(cluster.client.ShutdownInstance(instance, timeout=5)) is None
    shown = cluster.client.GetInstance(instance)
    assert (shown["status"], shown["admin_state"], shown["oper_state"]) == ("ADMIN_down", "down", False)
    assert (shown["oper_ram"], shown["oper_vcpus"]) == (None, None)


def test_starting_and_stopping_twice_succeeds(cluster: ContractCluster, instance: str) -> None:
    cluster.succeed(cluster.client.ShutdownInstance(instance))
    first = cluster.client.StartupInstance(instance)
    second = cluster.client.StartupInstance(instance)
    cluster.succeed(first)
    cluster.succeed(second)
    assert status(cluster, instance) == "running"


@pytest.mark.parametrize("kind", ["soft", "hard", "full"])
def test_restart(cluster: ContractCluster, running: str, kind: str) -> None:
    assert cluster.succeed(cluster.client.RebootInstance(running, kind, shutdown_timeout=0)) is None
    assert status(cluster, running) == "running"


def test_restarting_a_stopped_instance_starts_it(cluster: ContractCluster, instance: str) -> None:
    job_id = cluster.client.RebootInstance(instance)
    cluster.succeed(job_id)
    assert cluster.log(job_id) == [f" - INFO: Instance {instance} was already stopped, starting now"]
    assert status(cluster, instance) == "running"


def test_the_job_knows_the_instances_uuid(cluster: ContractCluster, instance: str) -> None:
    job_id = cluster.client.ShutdownInstance(instance)
    cluster.succeed(job_id)
    given = cluster.file(job_id)["ops"][0]["input"]
    assert given["instance_uuid"] == cluster.client.GetInstance(instance)["uuid"]
    assert given["timeout"] == 120


# -- rename, remove --------------------------------------------------------------------------------------


def test_rename(cluster: ContractCluster) -> None:
    instance, name = cluster.instance(start=False), f"snf-{number()}"
    assert cluster.succeed(cluster.client.RenameInstance(instance, name)) == name
    assert cluster.client.GetInstance(name)["disk.names"] == [f"{instance}-vol"]
    with pytest.raises(RapiRefused):
        cluster.client.GetInstance(instance)


def test_a_running_instance_cannot_be_renamed(cluster: ContractCluster, running: str) -> None:
    result = cluster.fail(cluster.client.RenameInstance(running, f"snf-{number()}"))
    assert result == prerequisite(f"Instance '{running}' is marked to be up, cannot rename", "wrong_state")


def test_a_name_in_use_cannot_be_taken(cluster: ContractCluster, instance: str, running: str) -> None:
    result = cluster.fail(cluster.client.RenameInstance(instance, running))
    assert result == prerequisite(f"Instance '{running}' is already in the cluster", "already_exists")


def test_removal_of_a_running_instance_frees_its_address(cluster: ContractCluster, network: str) -> None:
    address = cluster.address(network, 30)
    name = cluster.instance(nics=[{"network": network, "ip": address}])
    assert name in cluster.client.GetNetwork(network)["inst_list"]
    assert cluster.client.GetNetwork(network)["map"][30] == "X"
    assert cluster.succeed(cluster.client.DeleteInstance(name, shutdown_timeout=1)) is None
    assert name not in cluster.client.GetNetwork(network)["inst_list"]
    assert cluster.client.GetNetwork(network)["map"][30] == "."
    with pytest.raises(RapiRefused) as caught:
        cluster.client.GetInstance(name)
    assert caught.value.not_found


def test_removing_what_is_gone_fails(cluster: ContractCluster) -> None:
    result = cluster.fail(cluster.client.DeleteInstance("nothing"))
    assert result == prerequisite("Instance 'nothing' not known", "unknown_entity")


# -- the query socket ------------------------------------------------------------------------------------

_FIELDS = (
    "nic.names nic.networks.names nic.ips nic.macs nic.modes nic.links nic.uuids tags disk.names disk.sizes"
    " disk.uuids hv/boot_order hv/cdrom_image_path"
)
FIELDS = _FIELDS.split()


def test_the_query_socket_tells_what_the_event_daemon_asks(
    cluster: ContractCluster, created: Created
) -> None:
    shown = cluster.client.GetInstance(created.name)
    answer = cluster.query("QueryInstances", [[created.name], FIELDS, False])
    expected = [shown[field] for field in FIELDS if not field.startswith("hv/")]
    assert answer["success"] is True
    assert answer["result"] == [[*expected, None, None]]


def test_an_instance_that_is_gone_gives_no_row(cluster: ContractCluster) -> None:
    assert cluster.query("QueryInstances", [["nothing"], FIELDS, False]) == {"success": True, "result": []}


def test_unknown_query_fields_are_an_error(cluster: ContractCluster) -> None:
    answer = cluster.query("QueryInstances", [["nothing"], ["bogus"], False])
    problem = "Unknown output fields selected: bogus"
    assert answer == {"success": False, "result": prerequisite(problem, "wrong_input")}


def test_unknown_query_methods_are_an_error(cluster: ContractCluster) -> None:
    answer = cluster.query("Bogus", [])
    assert answer["success"] is False
    assert answer["result"].startswith("Failed to parse request")
