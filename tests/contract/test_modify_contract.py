"""Changes of existing instances, on a simulated and on a real cluster (ganeti-backend contract 3, 14.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.cluster import ContractCluster, number, prerequisite

HOTPLUG = {"hotplug_if_possible": True}
NO_HOTPLUG = [
    " - WARNING: Hotplug is not supported: Hotplug is not supported by this hypervisor",
    " - INFO: Modification will take place without hotplugging.",
]


@pytest.fixture
def stopped(cluster: ContractCluster) -> str:
    return cluster.instance(start=False)


@pytest.fixture
def up(cluster: ContractCluster) -> str:
    return cluster.instance()


@pytest.fixture(scope="session")
def addresses(cluster: ContractCluster, network: str) -> Any:
    """Addresses of the shared network that nobody else uses."""
    numbers = iter(range(100, 200))
    return lambda: cluster.address(network, next(numbers))


def nics(cluster: ContractCluster, name: str) -> list[Any]:
    instance = cluster.client.GetInstance(name)
    return list(zip(instance["nic.names"], instance["nic.ips"], strict=True))


def disks(cluster: ContractCluster, name: str) -> list[Any]:
    instance = cluster.client.GetInstance(name)
    return list(zip(instance["disk.names"], instance["disk.sizes"], strict=True))


def test_nothing_to_change_is_an_error(cluster: ContractCluster, stopped: str) -> None:
    expected = prerequisite("No changes submitted", "wrong_input")
    assert cluster.modify_fails(stopped) == expected
    assert cluster.modify_fails(stopped, **HOTPLUG) == expected


# -- NICs ------------------------------------------------------------------------------------------------


def test_adding_a_nic_to_a_running_instance(
    cluster: ContractCluster, up: str, network: str, addresses: Any
) -> None:
    address = addresses()
    nic = {"name": "snf-nic-9", "network": network, "ip": address}
    job_id = cluster.client.ModifyInstance(up, {"nics": [["add", "-1", nic]], **HOTPLUG})
    ((which, text),) = cluster.succeed(job_id)
    assert which == "nic.0"
    expected = rf"add:mac=aa:00:0b(:..){{3}},ip={address},mode=bridged,link=br0,network={network}"
    assert re.fullmatch(expected, text)
    assert nics(cluster, up) == [("snf-nic-9", address)]
    assert cluster.log(job_id) == [*NO_HOTPLUG, f" - INFO: Reserving IP {address} in network {network}"]
    assert cluster.file(job_id)["ops"][0]["input"]["nics"] == [["add", "-1", nic]]


def test_a_null_address_is_no_address(cluster: ContractCluster, stopped: str, network: str) -> None:
    cluster.modify(stopped, nics=[["add", "-1", {"name": "x", "network": network, "ip": None}]])
    assert nics(cluster, stopped) == [("x", None)]


def test_a_taken_address_cannot_be_added(
    cluster: ContractCluster, stopped: str, network: str, addresses: Any
) -> None:
    address = addresses()
    cluster.modify(stopped, nics=[["add", "-1", {"network": network, "ip": address}]])
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"network": network, "ip": address}]])
    problem = f"IP {address} not available in network {network}"
    assert result == prerequisite(problem, "resource_not_unique")


def test_a_nic_name_in_use_cannot_be_added(cluster: ContractCluster, stopped: str) -> None:
    cluster.modify(stopped, nics=[["add", "-1", {"name": "x"}]])
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"name": "x"}]])
    assert result == prerequisite("NIC name 'x' already used", "resource_not_unique")


def test_an_unconnected_network_cannot_be_added(cluster: ContractCluster, stopped: str) -> None:
    network = cluster.network(connect=False)
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"network": network}]])
    problem = f"No netparams found for the network {network}, probably not connected"
    assert result == prerequisite(problem, "wrong_input")


def test_removing_a_nic_by_name_and_by_index(cluster: ContractCluster, up: str) -> None:
    cluster.modify(up, nics=[["add", "-1", {"name": "x"}]], **HOTPLUG)
    cluster.modify(up, nics=[["add", "-1", {"name": "y"}]], **HOTPLUG)
    assert cluster.modify(up, nics=[["remove", "x", {}]], **HOTPLUG) == [["NIC/0", "remove"]]
    assert nics(cluster, up) == [("y", None)]
    assert cluster.modify(up, nics=[["remove", -1, {}]], **HOTPLUG) == [["NIC/0", "remove"]]
    assert nics(cluster, up) == []


def test_a_nic_can_be_inserted(cluster: ContractCluster, stopped: str) -> None:
    cluster.modify(stopped, nics=[["add", "-1", {"name": "x"}]])
    cluster.modify(stopped, nics=[["add", 0, {"name": "y"}]])
    assert nics(cluster, stopped) == [("y", None), ("x", None)]


def test_a_nic_that_is_not_there_cannot_be_removed(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(stopped, nics=[["remove", "nothing", {}]])
    assert result == prerequisite("Cannot find NIC with identifier nothing", "unknown_entity")
    result = cluster.modify_fails(stopped, nics=[["remove", 9, {}]])
    assert result[0] == "OpExecError"
    assert result[1][0].startswith("Got NIC index 9, but there are only")


def test_a_nics_name_and_address_can_be_changed(
    cluster: ContractCluster, stopped: str, network: str, addresses: Any
) -> None:
    first, second = addresses(), addresses()
    cluster.modify(stopped, nics=[["add", "-1", {"name": "x", "network": network, "ip": first}]])
    cluster.modify(stopped, nics=[["modify", "x", {"name": "y"}]])
    changes = cluster.modify(stopped, nics=[["modify", "y", {"ip": second}]])
    assert ["nic.ip/0", second] in changes
    assert nics(cluster, stopped) == [("y", second)]
    shown = cluster.client.GetNetwork(network)["map"]
    assert shown[int(first.rpartition(".")[2])] == "."
    assert shown[int(second.rpartition(".")[2])] == "X"


# -- disks -----------------------------------------------------------------------------------------------


def test_adding_a_disk_to_a_running_instance(cluster: ContractCluster, up: str) -> None:
    disk = {"name": "snf-vol-2", "size": 32}
    changes = cluster.modify(up, disks=[["add", "-1", disk]], wait_for_sync=False, **HOTPLUG)
    assert changes == [["disk/1", "add:size=32,mode=rw"]]
    assert disks(cluster, up) == [(f"{up}-vol", 16), ("snf-vol-2", 32)]


def test_adding_a_disk_to_a_stopped_instance(cluster: ContractCluster, stopped: str) -> None:
    cluster.modify(stopped, disks=[["add", "-1", {"name": "x", "size": 32}]])
    assert disks(cluster, stopped)[1] == ("x", 32)


def test_a_stopped_instance_must_wait_for_its_disks(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(
        stopped, disks=[["add", "-1", {"name": "x", "size": 32}]], wait_for_sync=False
    )
    problem = "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync given"
    assert result == prerequisite(problem, "wrong_state")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (["add", "-1", {"name": "x"}], prerequisite("Required disk parameter 'size' missing", "wrong_input")),
        (["remove", "nothing", {}], prerequisite("Lookup of disk 'nothing' failed")),
        (["detach", "nothing", {}], prerequisite("Lookup of disk 'nothing' failed")),
        (
            ["attach", "-1", {"name": "nothing"}],
            prerequisite("No disk was found with this name: nothing", "wrong_input"),
        ),
    ],
    ids=["add", "remove", "detach", "attach"],
)  # fmt: skip
def test_disk_changes_that_cannot_be(
    cluster: ContractCluster, stopped: str, change: list[Any], expected: list[Any]
) -> None:
    assert cluster.modify_fails(stopped, disks=[change]) == expected


def test_a_disk_name_in_use_cannot_be_added(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(stopped, disks=[["add", "-1", {"name": f"{stopped}-vol", "size": 16}]])
    problem = f"disk name '{stopped}-vol' already used"
    assert result == prerequisite(problem, "resource_not_unique")


def test_renaming_a_disk_by_its_uuid(cluster: ContractCluster, up: str) -> None:
    (uuid,) = cluster.client.GetInstance(up)["disk.uuids"]
    changes = cluster.modify(up, disks=[["modify", uuid, {"name": "snf-vol-77"}]], **HOTPLUG)
    assert changes == [["disk.name/0", "snf-vol-77"]]
    assert disks(cluster, up) == [("snf-vol-77", 16)]


def test_a_running_instance_loses_no_disk_without_hotplug(cluster: ContractCluster, up: str) -> None:
    job_id = cluster.client.ModifyInstance(up, {"disks": [["remove", f"{up}-vol", {}]], **HOTPLUG})
    problem = (
        f"Instance '{up}' is marked to be up, can't remove volume from a running instance"
        " without using hotplug"
    )
    assert cluster.fail(job_id) == prerequisite(problem, "wrong_state")
    assert cluster.log(job_id) == NO_HOTPLUG


def test_removing_a_disk_from_a_stopped_instance(cluster: ContractCluster, stopped: str) -> None:
    cluster.modify(stopped, disks=[["add", "-1", {"name": "x", "size": 32}]])
    assert cluster.modify(stopped, disks=[["remove", "x", {}]]) == [["disk/1", "remove"]]
    assert disks(cluster, stopped) == [(f"{stopped}-vol", 16)]


def test_a_detached_disk_can_be_attached_to_another_instance(cluster: ContractCluster) -> None:
    first, second, name = cluster.instance(start=False), cluster.instance(start=False), f"vol-{number()}"
    cluster.modify(first, disks=[["add", "-1", {"name": name, "size": 32}]])
    assert cluster.modify(first, disks=[["detach", name, {}]]) == [["disk/1", "detach"]]
    assert disks(cluster, first) == [(f"{first}-vol", 16)]
    cluster.modify(second, disks=[["attach", "-1", {"name": name}]])
    assert disks(cluster, second)[1] == (name, 32)


def test_growing_a_disk(cluster: ContractCluster, up: str) -> None:
    assert cluster.succeed(cluster.client.GrowInstanceDisk(up, 0, 16)) is None
    assert disks(cluster, up) == [(f"{up}-vol", 32)]


def test_growing_a_disk_that_is_not_there(cluster: ContractCluster, stopped: str) -> None:
    kind, (text, code) = cluster.fail(cluster.client.GrowInstanceDisk(stopped, 9, 16))
    assert (kind, code) == ("OpPrereqError", "wrong_input")
    assert text.startswith("Invalid disk index: 9")


# -- parameters ------------------------------------------------------------------------------------------


def test_resize(cluster: ContractCluster, stopped: str) -> None:
    beparams = {"vcpus": 2, "minmem": 64, "maxmem": 64}
    changes = cluster.modify(stopped, beparams=beparams)
    assert sorted(changes) == [["be/maxmem", 64], ["be/minmem", 64], ["be/vcpus", 2]]
    shown = cluster.client.GetInstance(stopped)["beparams"]
    assert {name: shown[name] for name in beparams} == beparams


def test_a_resized_instance_gets_its_size_at_the_next_start(cluster: ContractCluster, up: str) -> None:
    cluster.modify(up, beparams={"vcpus": 2, "minmem": 64, "maxmem": 64})
    shown = cluster.client.GetInstance(up)
    assert (shown["oper_ram"], shown["oper_vcpus"]) == (32, 1)
    cluster.succeed(cluster.client.ShutdownInstance(up))
    cluster.succeed(cluster.client.StartupInstance(up))
    shown = cluster.client.GetInstance(up)
    assert (shown["oper_ram"], shown["oper_vcpus"]) == (64, 2)


def test_setting_the_same_operating_system_changes_nothing(cluster: ContractCluster, up: str) -> None:
    assert cluster.modify(up, os_name="snf-image+default") == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"beparams": {"odd": 2}}, ["TypeEnforcementError", ["Unknown parameter 'odd'"]]),
        (
            {"beparams": {"vcpus": "x"}},
            ["TypeEnforcementError", ["'vcpus' (value x) is not a valid integer"]],
        ),
        (
            {"hvparams": {"boot_order": "cdrom"}},
            ["HypervisorError", ["Parameter 'boot_order' is not supported"]],
        ),
        (
            {"hvparams": {"migration_mode": "live"}},
            prerequisite(
                    "The following hypervisor parameters are global and cannot be customized at instance"
                    " level, please modify them at cluster level: migration_mode",
                    "wrong_input",
                ),
        ),
    ],
    ids=["be", "integer", "hv", "global"],
)  # fmt: skip
def test_parameters_that_cannot_be(
    cluster: ContractCluster, stopped: str, changes: dict[str, Any], expected: list[Any]
) -> None:
    assert cluster.modify_fails(stopped, **changes) == expected


def test_strict_hotplug_fails_where_there_is_none(cluster: ContractCluster, up: str) -> None:
    kind, (text, code) = cluster.modify_fails(up, hotplug=True, disks=[["add", "-1", {"size": 16}]])
    assert (kind, code) == ("OpPrereqError", "wrong_state")
    assert text.startswith("Hotplug is not possible: Hotplug is not supported")


def test_a_failed_change_leaves_everything_as_it_was(cluster: ContractCluster, stopped: str) -> None:
    before = cluster.client.GetInstance(stopped)
    cluster.modify_fails(
        stopped, nics=[["add", "-1", {"name": "x"}], ["add", "-1", {"name": "x"}]], beparams={"vcpus": 2}
    )
    assert cluster.client.GetInstance(stopped) == before
