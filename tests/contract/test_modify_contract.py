"""Changes of existing instances, on a simulated and on a real cluster (ganeti-backend contract 3, 14.2)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cyclades.ganeti import firewall, names
from tests.contract.cluster import ContractCluster, number, prerequisite

HOTPLUG = {"hotplug_if_possible": True}
NO_HOTPLUG = [
    " - WARNING: Hotplug is not supported: Hotplug is not supported by this hypervisor",
    " - INFO: Modification will take place without hotplugging.",
]


# Creating instances takes most of the time of these tests, so they share two and look at their own devices.


@pytest.fixture(scope="module")
def nic(network: str, addresses: Any) -> dict[str, Any]:
    """The NIC that :func:`stopped` has from its creation on."""
    return {"name": new_name(), "network": network, "ip": addresses()}


@pytest.fixture(scope="module")
def stopped(cluster: ContractCluster, nic: dict[str, Any]) -> str:
    return cluster.instance(start=False, nics=[nic])


@pytest.fixture(scope="module")
def up(cluster: ContractCluster) -> str:
    return cluster.instance()


def new_name() -> str:
    return f"device-{number()}"


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
    address, name, place = addresses(), new_name(), len(nics(cluster, up))
    nic = {"name": name, "network": network, "ip": address}
    job_id = cluster.client.ModifyInstance(up, {"nics": [["add", "-1", nic]], **HOTPLUG})
    ((which, text),) = cluster.succeed(job_id)
    assert which == f"nic.{place}"
    expected = rf"add:mac=aa:00:0b(:..){{3}},ip={address},mode=bridged,link=br0,network={network}"
    assert re.fullmatch(expected, text)
    assert nics(cluster, up)[place:] == [(name, address)]
    assert cluster.log(job_id) == [*NO_HOTPLUG, f" - INFO: Reserving IP {address} in network {network}"]
    mac = cluster.client.GetInstance(up)["nic.macs"][place]
    assert cluster.file(job_id)["ops"][0]["input"]["nics"] == [["add", "-1", {**nic, "mac": mac}]]


def test_a_null_address_is_no_address(cluster: ContractCluster, stopped: str, network: str) -> None:
    name = new_name()
    cluster.modify(stopped, nics=[["add", "-1", {"name": name, "network": network, "ip": None}]])
    assert nics(cluster, stopped)[-1] == (name, None)


def test_a_taken_address_cannot_be_added(
    cluster: ContractCluster, stopped: str, network: str, nic: dict[str, Any]
) -> None:
    address = nic["ip"]
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"network": network, "ip": address}]])
    assert result == prerequisite(f"IP {address} not available in network {network}", "resource_not_unique")


def test_a_nic_name_in_use_cannot_be_added(
    cluster: ContractCluster, stopped: str, nic: dict[str, Any]
) -> None:
    name = nic["name"]
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"name": name}]])
    assert result == prerequisite(f"NIC name '{name}' already used", "resource_not_unique")


def test_an_unconnected_network_cannot_be_added(
    cluster: ContractCluster, stopped: str, unconnected: str
) -> None:
    result = cluster.modify_fails(stopped, nics=[["add", "-1", {"network": unconnected}]])
    problem = f"No netparams found for the network {unconnected}, probably not connected"
    assert result == prerequisite(problem, "wrong_input")


def test_removing_a_nic_by_name_and_by_index(cluster: ContractCluster, up: str) -> None:
    before, first, second = nics(cluster, up), new_name(), new_name()
    place = len(before)
    cluster.modify(up, nics=[["add", "-1", {"name": name}] for name in (first, second)], **HOTPLUG)
    assert cluster.modify(up, nics=[["remove", first, {}]], **HOTPLUG) == [[f"NIC/{place}", "remove"]]
    assert nics(cluster, up) == [*before, (second, None)]
    assert cluster.modify(up, nics=[["remove", -1, {}]], **HOTPLUG) == [[f"NIC/{place}", "remove"]]
    assert nics(cluster, up) == before


def test_a_nic_can_be_inserted(cluster: ContractCluster, stopped: str) -> None:
    before, name = nics(cluster, stopped), new_name()
    cluster.modify(stopped, nics=[["add", 0, {"name": name}]])
    assert nics(cluster, stopped) == [(name, None), *before]


def test_a_nic_that_is_not_there_cannot_be_removed(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(stopped, nics=[["remove", "nothing", {}]])
    assert result == prerequisite("Cannot find NIC with identifier nothing", "unknown_entity")
    kind, (text,) = cluster.modify_fails(stopped, nics=[["remove", 15, {}]])
    assert kind == "OpExecError"
    assert text.startswith("Got NIC index 15, but there are only")


def test_a_nics_name_and_address_can_be_changed(
    cluster: ContractCluster, stopped: str, network: str, addresses: Any
) -> None:
    first, second, old, new = addresses(), addresses(), new_name(), new_name()
    cluster.modify(stopped, nics=[["add", "-1", {"name": old, "network": network, "ip": first}]])
    cluster.modify(stopped, nics=[["modify", old, {"name": new}]])
    changes = cluster.modify(stopped, nics=[["modify", new, {"ip": second}]])
    place = len(nics(cluster, stopped)) - 1
    assert [f"nic.ip/{place}", second] in changes
    assert nics(cluster, stopped)[place] == (new, second)
    shown = cluster.client.GetNetwork(network)["map"]
    assert shown[int(first.rpartition(".")[2])] == "."
    assert shown[int(second.rpartition(".")[2])] == "X"


# -- disks -----------------------------------------------------------------------------------------------


def test_adding_a_disk_to_a_running_instance(cluster: ContractCluster, up: str) -> None:
    before, name = disks(cluster, up), new_name()
    disk = {"name": name, "size": 32}
    changes = cluster.modify(up, disks=[["add", "-1", disk]], wait_for_sync=False, **HOTPLUG)
    assert changes == [[f"disk/{len(before)}", "add:size=32,mode=rw"]]
    assert disks(cluster, up) == [*before, (name, 32)]


def test_a_stopped_instance_must_wait_for_its_disks(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(
        stopped, disks=[["add", "-1", {"name": "x", "size": 32}]], wait_for_sync=False
    )
    problem = "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync given"
    assert result == prerequisite(problem, "wrong_input")


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
)
def test_disk_changes_that_cannot_be(
    cluster: ContractCluster, stopped: str, change: list[Any], expected: list[Any]
) -> None:
    assert cluster.modify_fails(stopped, disks=[change]) == expected


def test_a_disk_name_in_use_cannot_be_added(cluster: ContractCluster, stopped: str) -> None:
    result = cluster.modify_fails(stopped, disks=[["add", "-1", {"name": f"{stopped}-vol", "size": 16}]])
    assert result == prerequisite(f"disk name '{stopped}-vol' already used", "resource_not_unique")


def test_renaming_a_disk_by_its_uuid(cluster: ContractCluster, up: str) -> None:
    shown, name = cluster.client.GetInstance(up), new_name()
    place, uuid = len(shown["disk.uuids"]) - 1, shown["disk.uuids"][-1]
    changes = cluster.modify(up, disks=[["modify", uuid, {"name": name}]], **HOTPLUG)
    assert changes == [[f"disk.name/{place}", name]]
    assert disks(cluster, up)[place][0] == name


def test_a_running_instance_loses_no_disk_without_hotplug(cluster: ContractCluster, up: str) -> None:
    name = disks(cluster, up)[0][0]
    job_id = cluster.client.ModifyInstance(up, {"disks": [["remove", name, {}]], **HOTPLUG})
    problem = (
        f"Instance '{up}' is marked to be up, can't remove volume from a running instance"
        " without using hotplug"
    )
    assert cluster.fail(job_id) == prerequisite(problem, "wrong_state")
    assert cluster.log(job_id) == NO_HOTPLUG


def test_a_stopped_instance_gains_and_loses_a_disk(cluster: ContractCluster, stopped: str) -> None:
    before, name = disks(cluster, stopped), new_name()
    cluster.modify(stopped, disks=[["add", "-1", {"name": name, "size": 32}]])
    assert disks(cluster, stopped) == [*before, (name, 32)]
    assert cluster.modify(stopped, disks=[["remove", name, {}]]) == [[f"disk/{len(before)}", "remove"]]
    assert disks(cluster, stopped) == before


def test_a_detached_disk_can_be_attached_to_another_instance(
    cluster: ContractCluster, stopped: str, up: str
) -> None:
    before, name = disks(cluster, stopped), new_name()
    cluster.modify(stopped, disks=[["add", "-1", {"name": name, "size": 32}]])
    assert cluster.modify(stopped, disks=[["detach", name, {}]]) == [[f"disk/{len(before)}", "detach"]]
    assert disks(cluster, stopped) == before
    cluster.modify(up, disks=[["attach", "-1", {"name": name}]])
    assert disks(cluster, up)[-1] == (name, 32)


def test_growing_a_disk(cluster: ContractCluster, up: str) -> None:
    name, size = disks(cluster, up)[0]
    assert cluster.succeed(cluster.client.GrowInstanceDisk(up, 0, 16)) is None
    assert disks(cluster, up)[0] == (name, size + 16)


def test_growing_a_disk_that_is_not_there(cluster: ContractCluster, stopped: str) -> None:
    kind, (text, code) = cluster.fail(cluster.client.GrowInstanceDisk(stopped, 15, 16))
    assert (kind, code) == ("OpPrereqError", "wrong_input")
    assert text.startswith("Invalid disk index: 15")


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
        stopped, nics=[["add", "-1", {"name": "x"}], ["add", "-1", {"name": "x"}]], beparams={"vcpus": 3}
    )
    assert cluster.client.GetInstance(stopped) == before


# -- tags ------------------------------------------------------------------------------------------------


def test_tags_of_servers_are_kept_in_our_encoding(cluster: ContractCluster, stopped: str) -> None:
    """Spaces, underscores, per cents, other alphabets: what we encode, Ganeti accepts and gives back."""
    tags = [f"cyclades:user:{tag}" for tag in ("a b_c", "100%+~", "ετικέτα", "x" * 60)]
    encoded = [names.encode_tag(tag) for tag in tags]
    job_id = cluster.client.AddInstanceTags(stopped, encoded, reason="req-7")
    assert cluster.succeed(job_id) is None
    given = cluster.file(job_id)["ops"][0]["input"]
    assert (given["OP_ID"], given["kind"], given["name"]) == ("OP_TAGS_SET", "instance", stopped)
    assert sorted(given["tags"]) == sorted(encoded)
    kept = cluster.client.GetInstanceTags(stopped)
    assert sorted(filter(None, map(names.decode_tag, kept))) == sorted(tags)
    cluster.succeed(cluster.client.AddInstanceTags(stopped, encoded[:1]))
    assert cluster.succeed(cluster.client.DeleteInstanceTags(stopped, encoded)) is None
    assert not set(encoded) & set(cluster.client.GetInstanceTags(stopped))


def test_one_missing_tag_keeps_all_others(cluster: ContractCluster, stopped: str) -> None:
    cluster.succeed(cluster.client.AddInstanceTags(stopped, ["cyclades:user:here"]))
    job_id = cluster.client.DeleteInstanceTags(stopped, ["cyclades:user:here", "cyclades:user:gone"])
    assert cluster.fail(job_id) == prerequisite("Tag(s) 'cyclades:user:gone' not found", "unknown_entity")
    assert "cyclades:user:here" in cluster.client.GetInstanceTags(stopped)


def test_a_firewall_profile_takes_the_place_of_another(cluster: ContractCluster, stopped: str) -> None:
    def profile(wanted: str) -> list[str]:
        body = firewall.profile_payload(77, wanted)["body"]
        job_id = firewall.send(cluster.client, stopped, body, "req-8")
        cluster.succeed(job_id)
        return [tag for tag in cluster.client.GetInstanceTags(stopped) if ":snf-nic-77:" in tag]

    assert profile("ENABLED") == ["synnefo:network:snf-nic-77:protected"]
    assert profile("PROTECTED") == ["synnefo:network:snf-nic-77:limited"]
    assert profile("DISABLED") == []
