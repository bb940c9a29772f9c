"""Volumes that outlive their instances, on the simulator and on Ganeti with the provider ``snffile``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.cluster import ContractCluster, number

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("ganeti-contract")]


def disk(name: str, **parameters: str) -> dict[str, Any]:
    return {"name": name, "size": 16, "provider": "snffile", **parameters}


def host(cluster: ContractCluster) -> str:
    """A stopped instance with one disk of the provider."""
    name = f"snf-{number()}"
    body = cluster.instance_body(name, start=False, disk_template="ext", disks=[disk(f"snf-vol-{number()}")])
    cluster.succeed(cluster.client.CreateInstance(body))
    return name


@pytest.fixture(scope="module")
def hosts(cluster: ContractCluster) -> tuple[str, str]:
    """Two of them; the first one is deleted by the last test."""
    return host(cluster), host(cluster)


def names(cluster: ContractCluster, instance: str) -> list[str]:
    return list(cluster.client.GetInstance(instance)["disk.names"])


def take_off(name: str, keep: str) -> list[list[Any]]:
    return [["modify", name, {"name": name, "keep_data": keep}], ["remove", name, {}]]


def test_a_volume_leaves_one_instance_joins_another_and_is_deleted_alone(
    cluster: ContractCluster, hosts: tuple[str, str]
) -> None:
    (one, two), volume = hosts, f"snf-vol-{number()}"
    cluster.modify(one, disks=[["add", "-1", disk(volume, reuse_data="False")]])
    assert names(cluster, one)[1:] == [volume]

    cluster.modify(one, disks=take_off(volume, "True"))
    assert len(names(cluster, one)) == 1
    # The data are there: nobody can make them anew, and a server can have them.
    failed = cluster.modify_fails(two, disks=[["add", "-1", disk(volume, reuse_data="False")]])
    assert "exists already" in str(failed)
    cluster.modify(two, disks=[["add", "-1", disk(volume, reuse_data="True", keep_data="True")]])
    assert names(cluster, two)[1:] == [volume]
    cluster.modify(two, disks=take_off(volume, "True"))

    # An instance of the volume's name takes the data along.
    doomed = cluster.instance_body(
        volume, start=False, no_install=True, ignore_ipolicy=True, disk_template="ext", osparams={},
        disks=[disk(volume, reuse_data="True")],
    )  # fmt: skip
    created = cluster.client.CreateInstance(doomed)
    cluster.succeed(cluster.client.DeleteInstance(volume, depends=[[created, ["success"]]]))
    failed = cluster.modify_fails(two, disks=[["add", "-1", disk(volume, reuse_data="True")]])
    assert "no volume" in str(failed)


def test_what_is_to_be_deleted_loses_the_flag_that_keeps_it(
    cluster: ContractCluster, hosts: tuple[str, str]
) -> None:
    (instance, other), volume = hosts, f"snf-vol-{number()}"
    cluster.modify(instance, disks=[["add", "-1", disk(volume, keep_data="True")]])
    cluster.modify(instance, disks=take_off(volume, "default"))
    cluster.modify(instance, disks=[["add", "-1", disk(volume, reuse_data="False")]])
    cluster.succeed(cluster.client.DeleteInstance(instance))
    failed = cluster.modify_fails(other, disks=[["add", "-1", disk(volume, reuse_data="True")]])
    assert "no volume" in str(failed)
