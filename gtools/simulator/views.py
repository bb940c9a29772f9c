"""How RAPI and the query socket show the cluster's objects."""

from __future__ import annotations

from typing import Any

from gtools.simulator import defaults
from gtools.simulator.cluster import Cluster, Instance, Network
from gtools.simulator.nics import filled

Row = dict[str, Any]


def instance_row(cluster: Cluster, instance: Instance) -> Row:
    """Return all there is to see of an instance."""
    nics = instance.nics
    params = [filled(nic) for nic in nics]
    beparams = instance.filled_beparams()
    running = instance.running
    names = {network.uuid: network.name for network in cluster.networks.values()}
    hvparams = {**cluster.hypervisor_defaults(instance.hypervisor), **instance.hvparams}
    for name in defaults.GLOBAL_HVPARAMS:
        hvparams.pop(name, None)
    status = "running" if running else ("ADMIN_down" if instance.admin_state == "down" else "ERROR_down")
    return {
        "name": instance.name,
        "admin_state": instance.admin_state,
        "os": instance.os,
        "pnode": instance.node,
        "snodes": [],
        "disk_template": instance.disk_template,
        "nic.ips": [nic.ip for nic in nics],
        "nic.macs": [nic.mac for nic in nics],
        "nic.modes": [item["mode"] for item in params],
        "nic.uuids": [nic.uuid for nic in nics],
        "nic.names": [nic.name for nic in nics],
        "nic.links": [item["link"] for item in params],
        "nic.networks": [nic.network for nic in nics],
        "nic.networks.names": [names.get(nic.network or "") for nic in nics],
        "nic.bridges": [item["link"] if item["mode"] == "bridged" else None for item in params],
        "network_port": instance.network_port,
        "disk.sizes": [disk.size for disk in instance.disks],
        "disk.spindles": [None for _disk in instance.disks],
        "disk_usage": sum(disk.size for disk in instance.disks),
        "disk.uuids": [disk.uuid for disk in instance.disks],
        "disk.names": [disk.name for disk in instance.disks],
        "beparams": {**beparams, "memory": beparams["maxmem"]},
        "hvparams": hvparams,
        "oper_state": running is not None,
        "oper_ram": running["memory"] if running else None,
        "oper_vcpus": running["vcpus"] if running else None,
        "status": status,
        "custom_hvparams": instance.hvparams,
        "custom_beparams": instance.beparams,
        "custom_nicparams": [nic.params for nic in nics],
        "ctime": instance.ctime,
        "mtime": instance.mtime,
        "uuid": instance.uuid,
        "serial_no": instance.serial_no,
        "tags": sorted(instance.tags),
    }


def network_row(cluster: Cluster, network: Network) -> Row:
    """Return all there is to see of a network."""
    pool = cluster.pool(network)
    users = [
        instance.name
        for instance in cluster.instances.values()
        if any(nic.network == network.uuid for nic in instance.nics)
    ]
    return {
        "name": network.name,
        "network": network.network,
        "gateway": network.gateway,
        "network6": network.network6,
        "gateway6": network.gateway6,
        "mac_prefix": network.mac_prefix,
        "free_count": pool.free_count,
        "reserved_count": pool.reserved_count,
        "map": pool.map(),
        "group_list": [[group, *params] for group, params in network.groups.items()],
        "inst_list": users,
        "external_reservations": pool.external_text(),
        "ctime": network.ctime,
        "mtime": network.mtime,
        "uuid": network.uuid,
        "serial_no": network.serial_no,
        "tags": sorted(network.tags),
    }


def node_rows(cluster: Cluster) -> list[Row]:
    """Return all there is to see of every node, the master first."""
    rows = []
    for position, node in enumerate(cluster.options.all_nodes):
        instances = sorted(item.name for item in cluster.instances.values() if item.node == node.name)
        rows.append(
            {
                "name": node.name,
                "offline": False,
                "master_candidate": True,
                "drained": False,
                "dtotal": node.disk,
                "dfree": cluster.free_disk(node.name),
                "sptotal": None,
                "spfree": None,
                "mtotal": node.memory,
                "mnode": node.memory_of_system,
                "mfree": cluster.free_memory(node.name),
                "pinst_cnt": len(instances),
                "sinst_cnt": 0,
                "ctotal": node.cpus,
                "cnos": node.cpus,
                "cnodes": 1,
                "csockets": 1,
                "pip": node.address,
                "sip": node.address,
                "role": "C" if position else "M",
                "pinst_list": instances,
                "sinst_list": [],
                "master_capable": True,
                "vm_capable": True,
                "ndparams": dict(defaults.NDPARAMS),
                "group.uuid": cluster.group_uuid,
                "ctime": cluster.ctime,
                "mtime": cluster.ctime,
                "uuid": cluster.node_uuids[node.name],
                "serial_no": 1,
                "tags": [],
            }
        )
    return rows


def group_row(cluster: Cluster) -> Row:
    """Return all there is to see of the only node group."""
    nodes = [node.name for node in cluster.options.all_nodes]
    return {
        "alloc_policy": "preferred",
        "name": "default",
        "node_cnt": len(nodes),
        "node_list": nodes,
        "ipolicy": cluster.ipolicy,
        "custom_ipolicy": {},
        "diskparams": {template: {} for template in cluster.options.disk_templates},
        "custom_diskparams": {},
        "ndparams": dict(defaults.NDPARAMS),
        "custom_ndparams": {},
        "ctime": 0,
        "mtime": cluster.ctime,
        "uuid": cluster.group_uuid,
        "serial_no": 1,
        "tags": [],
    }


def info(cluster: Cluster) -> Row:
    """Return what the cluster says of itself."""
    options = cluster.options
    return {
        "software_version": defaults.SOFTWARE_VERSION,
        "protocol_version": defaults.PROTOCOL_VERSION,
        "config_version": defaults.PROTOCOL_VERSION,
        "os_api_version": 20,
        "export_version": 0,
        "vcs_version": "Synnefo simulator",
        "architecture": ["64bits", "x86_64"],
        "name": options.cluster_name,
        "master": options.all_nodes[0].name,
        "default_hypervisor": options.hypervisors[0],
        "enabled_hypervisors": list(options.hypervisors),
        "hvparams": {name: cluster.hypervisor_defaults(name) for name in options.hypervisors},
        "os_hvp": {},
        "beparams": {"default": dict(defaults.BEPARAMS)},
        "osparams": {},
        "ipolicy": cluster.ipolicy,
        "nicparams": {"default": dict(defaults.NICPARAMS)},
        "ndparams": dict(defaults.NDPARAMS),
        "diskparams": {template: {} for template in options.disk_templates},
        "candidate_pool_size": 10,
        "max_running_jobs": 20,
        "max_tracked_jobs": 25,
        "mac_prefix": defaults.MAC_PREFIX,
        "master_netdev": "br0",
        "master_netmask": 24,
        "ctime": cluster.ctime,
        "mtime": cluster.ctime,
        "uuid": cluster.uuid,
        "tags": sorted(cluster.tags),
        "default_iallocator": "hail",
        "default_iallocator_params": {},
        "primary_ip_version": 4,
        "enabled_disk_templates": cluster.enabled_disk_templates,
        "enabled_user_shutdown": False,
    }


def query_row(cluster: Cluster, instance: Instance) -> Row:
    """Return an instance's fields by the names that the query socket knows."""
    row = instance_row(cluster, instance)
    hypervisor = {f"hv/{name}": value for name, value in row["hvparams"].items()}
    backend = {f"be/{name}": value for name, value in row["beparams"].items()}
    return {**row, **backend, **hypervisor}
