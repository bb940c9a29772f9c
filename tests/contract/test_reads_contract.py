"""What the read calls show, on a simulated and on a real cluster (ganeti-backend contract 1.3, 14.1)."""

from __future__ import annotations

import pytest

from cyclades.ganeti.rapi import RapiRefused
from tests.contract.cluster import ContractCluster

_INSTANCE_FIELDS = (
    "name admin_state os pnode snodes disk_template nic.ips nic.macs nic.modes nic.uuids nic.names nic.links"
    " nic.networks nic.networks.names nic.bridges network_port disk.sizes disk.spindles disk_usage disk.uuids"
    " disk.names beparams hvparams oper_state oper_ram oper_vcpus status custom_hvparams custom_beparams"
    " custom_nicparams ctime mtime uuid serial_no tags"
)
INSTANCE_FIELDS = set(_INSTANCE_FIELDS.split())
_NODE_FIELDS = (
    "name offline master_candidate drained dtotal dfree sptotal spfree mtotal mnode mfree pinst_cnt sinst_cnt"
    " ctotal cnos cnodes csockets pip sip role pinst_list sinst_list master_capable vm_capable ndparams"
    " group.uuid ctime mtime uuid serial_no tags"
)
NODE_FIELDS = set(_NODE_FIELDS.split())
_NETWORK_FIELDS = (
    "name network gateway network6 gateway6 mac_prefix free_count reserved_count map group_list inst_list"
    " external_reservations ctime mtime uuid serial_no tags"
)
NETWORK_FIELDS = set(_NETWORK_FIELDS.split())


def test_version_is_two(cluster: ContractCluster) -> None:
    assert cluster.client.GetVersion() == 2


def test_features_list_the_creation_request_of_version_one(cluster: ContractCluster) -> None:
    assert "instance-create-reqv1" in cluster.client.GetFeatures()


def test_info_names_the_cluster_and_what_it_can_do(cluster: ContractCluster) -> None:
    info = cluster.client.GetInfo()
    assert info["name"] == cluster.name
    assert info["software_version"].startswith("3.")
    assert info["default_hypervisor"] == "fake"
    assert info["enabled_disk_templates"] == ["file", "diskless", "sharedfile", "ext"]
    assert sorted(info["ipolicy"]["disk-templates"]) == ["diskless", "ext", "file", "sharedfile"]
    assert info["default_iallocator"] == "hail"
    assert info["mac_prefix"] == "aa:00:00"


def test_operating_systems_have_variants(cluster: ContractCluster) -> None:
    assert "snf-image+default" in cluster.client.GetOperatingSystems()


def test_nodes_show_their_resources(cluster: ContractCluster) -> None:
    (node,) = cluster.client.GetNodes(bulk=True)
    assert set(node) >= NODE_FIELDS
    assert node["vm_capable"] and not node["drained"] and not node["offline"] and node["cnodes"]
    for name in ("mfree", "mtotal", "dfree", "dtotal", "pinst_cnt", "ctotal"):
        assert isinstance(node[name], int)


def test_a_node_can_be_read_alone(cluster: ContractCluster) -> None:
    (link,) = cluster.client.GetNodes()
    assert link["uri"] == f"/2/nodes/{link['id']}"
    assert cluster.client.GetNode(link["id"])["name"] == link["id"]


def test_a_node_counts_its_instances(cluster: ContractCluster, running: str) -> None:
    (node,) = cluster.client.GetNodes(bulk=True)
    assert running in node["pinst_list"]
    assert node["pinst_cnt"] == len(node["pinst_list"])


def test_groups_are_listed_by_name(cluster: ContractCluster) -> None:
    assert cluster.client.GetGroups() == [{"name": "default", "uri": "/2/groups/default"}]


def test_a_group_has_nodes_and_a_policy(cluster: ContractCluster) -> None:
    (group,) = cluster.client.GetGroups(bulk=True)
    assert group == cluster.client.GetGroup("default")
    assert group["node_cnt"] == 1 and len(group["node_list"]) == 1
    assert group["ipolicy"]["minmax"][0]["max"]["cpu-count"] == 32


def test_an_instance_shows_all_fields(cluster: ContractCluster, running: str) -> None:
    instance = cluster.client.GetInstance(running)
    assert set(instance) >= INSTANCE_FIELDS
    assert instance["status"] == "running"
    assert instance["admin_state"] == "up"
    assert instance["oper_state"] is True
    assert (instance["oper_ram"], instance["oper_vcpus"]) == (32, 1)
    assert instance["tags"] == ["cyclades:user:web"]
    assert instance["disk.sizes"] == [16]
    assert instance["snodes"] == []


def test_backend_parameters_are_filled_with_defaults(cluster: ContractCluster, running: str) -> None:
    assert cluster.client.GetInstance(running)["beparams"] == {
        "minmem": 32,
        "maxmem": 32,
        "memory": 32,
        "vcpus": 1,
        "auto_balance": True,
        "always_failover": False,
        "spindle_use": 1,
    }


def test_the_fake_hypervisor_has_no_console_and_no_parameters(cluster: ContractCluster, running: str) -> None:
    instance = cluster.client.GetInstance(running)
    assert instance["network_port"] is None
    assert instance["hvparams"] == {}


def test_the_bulk_list_equals_the_single_instances(cluster: ContractCluster, running: str) -> None:
    listed = {instance["name"]: instance for instance in cluster.client.GetInstances(bulk=True)}
    assert listed[running] == cluster.client.GetInstance(running)


def test_the_short_list_has_names_and_links(cluster: ContractCluster, running: str) -> None:
    assert {"id": running, "uri": f"/2/instances/{running}"} in cluster.client.GetInstances()


def test_a_network_shows_all_fields(cluster: ContractCluster, network: str) -> None:
    assert set(cluster.client.GetNetwork(network)) == NETWORK_FIELDS
    assert network in [item["name"] for item in cluster.client.GetNetworks(bulk=True)]
    assert {"name": network, "uri": f"/2/networks/{network}"} in cluster.client.GetNetworks()


@pytest.mark.parametrize("call", ["GetInstance", "GetNetwork", "GetNode", "GetGroup"])
def test_what_does_not_exist_is_404(cluster: ContractCluster, call: str) -> None:
    with pytest.raises(RapiRefused) as caught:
        getattr(cluster.client, call)("nothing")
    assert caught.value.code == 404


def test_tags_of_a_missing_instance_are_a_server_error_that_means_404(cluster: ContractCluster) -> None:
    assert cluster.raw("GET", "/2/instances/nothing/tags").status_code == 500
    with pytest.raises(RapiRefused) as caught:
        cluster.client.GetInstanceTags("nothing")
    assert caught.value.code == 404
