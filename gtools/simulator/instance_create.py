"""OP_INSTANCE_CREATE."""

from __future__ import annotations

import re
from typing import Any

from gtools.simulator import defaults
from gtools.simulator.cluster import Disk, Instance, Network
from gtools.simulator.errors import OpError, execution, prerequisite
from gtools.simulator.image_provider import ImageError
from gtools.simulator.nics import NicPlanner, check_names, check_parameters
from gtools.simulator.operation import Operation
from gtools.simulator.parameters import apply_beparams, apply_hvparams, check_tags
from gtools.simulator.volume_store import StoreChange

_HOST_NAME = re.compile(r"^[A-Za-z0-9._-]{1,255}$")
MINIMUM_DISK = 4


def create(op: Operation) -> list[str]:
    """Create, deploy and start an instance; returns its nodes."""
    _check_request(op)
    op.begin()
    with op.cluster.lock:
        networks = [check_parameters(op, values) for values in op["nics"]]
        hypervisor = op["hypervisor"] or op.cluster.options.hypervisors[0]
        beparams = apply_beparams({}, op["beparams"])
        hvparams = apply_hvparams(op.cluster, hypervisor, {}, op["hvparams"])
        node = _place(op, networks, {**defaults.BEPARAMS, **beparams})
        planner = NicPlanner(op)
        nics = [planner.plan(values, index, creating=True) for index, values in enumerate(op["nics"])]
        _check_bridges(op, node, [nic.params for nic in nics])
        _check_os(op, node)
        op.end_of_checks([op.cluster.node_uuids[node]])
        instance = Instance(
            name=op["instance_name"],
            os=op["os_type"],
            node=node,
            disk_template=op["disk_template"] if op["disks"] else "diskless",
            hypervisor=hypervisor,
            nics=nics,
            disks=[_disk(values) for values in op["disks"]],
            beparams=beparams,
            hvparams=hvparams,
            osparams=dict(op["osparams"]),
            tags=sorted(set(op["tags"])),
        )
        _add(op, instance)
    _deploy(op, instance)
    if op["start"]:
        op.log("* starting instance...")
        op.work(0.5)
        with op.cluster.change():
            instance.start()
            instance.touch()
    return [node]


def _check_request(op: Operation) -> None:
    """Do the checks that Ganeti does before it takes its locks."""
    name = op["instance_name"]
    if not _HOST_NAME.match(name):
        raise prerequisite(f"Invalid hostname '{name}'", "wrong_input")
    if op["mode"] != "create":
        raise prerequisite("the simulator creates instances only from scratch", "wrong_input")
    template = op["disk_template"]
    enabled = op.cluster.enabled_disk_templates
    if template is not None and template not in enabled:
        raise prerequisite(
            f"Disk template '{template}' is not enabled in cluster."
            f" Enabled disk templates are: {','.join(enabled)}"
        )
    with op.cluster.lock:
        if name in op.cluster.instances:
            raise prerequisite(f"Instance '{name}' is already in the cluster", "already_exists")
    check_tags(op["tags"])
    check_names("NIC", [values.get("name") for values in op["nics"]])
    check_names("disk", [values.get("name") for values in op["disks"]])
    for values in op["disks"]:
        size = values.get("size")
        if not isinstance(size, int) or isinstance(size, bool):
            raise prerequisite("Required disk parameter 'size' missing", "wrong_input")


def _place(op: Operation, networks: list[Network | None], beparams: dict[str, Any]) -> str:
    """Choose a node as hail would; or fail because nothing fits."""
    if any(network is not None and "default" not in network.groups for network in networks):
        reason = f"group default is not connected to a network required by instance {op['instance_name']}"
        raise _no_node(op, reason, retried=False)
    size = sum(values["size"] for values in op["disks"])
    failures: dict[str, int] = {}
    for node in op.cluster.options.all_nodes:
        problem = _misfit(op, node.name, node.cpus, beparams, size)
        if problem is None:
            op.info(f"Selected nodes for instance {op['instance_name']} via iallocator hail: {node.name}")
            converted = {key: value for key, value in op["beparams"].items() if key != "memory"}
            if "memory" in op["beparams"]:
                converted |= {"minmem": beparams["minmem"], "maxmem": beparams["maxmem"]}
            op.fill(
                pnode=node.name,
                pnode_uuid=op.cluster.node_uuids[node.name],
                iallocator="hail",
                hypervisor=op["hypervisor"] or op.cluster.options.hypervisors[0],
                beparams=converted,
            )
            return node.name
        failures[problem] = failures.get(problem, 0) + 1
    counts = ", ".join(f"{name}: {count}" for name, count in sorted(failures.items()))
    reason = f"Group default (preferred): No valid allocation solutions, failure reasons: {counts}"
    raise _no_node(op, reason, retried=op["opportunistic_locking"])


def _misfit(op: Operation, node: str, cpus: int, beparams: dict[str, Any], size: int) -> str | None:
    policy = op.cluster.ipolicy
    largest = policy["minmax"][0]["max"]
    memory, vcpus = beparams["maxmem"], beparams["vcpus"]
    if vcpus > largest["cpu-count"] or op.cluster.used_cpus(node) + vcpus > policy["vcpu-ratio"] * cpus:
        return "FailCPU"
    if memory > largest["memory-size"] or memory > op.cluster.free_memory(node):
        return "FailMem"
    if size > op.cluster.free_disk(node):
        return "FailDisk"
    return None


def _no_node(op: Operation, reason: str, *, retried: bool) -> OpError:
    if retried:
        op.info(f"IAllocator 'hail' failed on opportunistically acquired nodes: Request failed: {reason}")
        op.log("* falling back to full lock allocation")
    return prerequisite(
        f"Can't compute nodes using iallocator 'hail': Request failed: {reason}", "insufficient_resources"
    )


def _check_bridges(op: Operation, node: str, params: list[dict[str, str]]) -> None:
    known = op.cluster.options.bridges
    if not known:
        return
    filled = [{**defaults.NICPARAMS, **item} for item in params]
    missing = [item["link"] for item in filled if item["mode"] == "bridged" and item["link"] not in known]
    if missing:
        raise prerequisite(
            f"Error checking bridges on destination node '{node}': Missing bridges {', '.join(missing)}",
            "environment_error",
        )


def _check_os(op: Operation, node: str) -> None:
    options = op.cluster.options
    os_name = str(op["os_type"])
    problem = f"OS Parameters validation failed on node {node}: "
    if os_name not in options.operating_systems:
        raise execution(f"{problem}Directory for OS {os_name.partition('+')[0]} not found in search path")
    unknown = sorted(set(op["osparams"]) - set(options.os_parameters))
    if unknown:
        base = os_name.partition("+")[0]
        names = ", ".join(unknown)
        raise execution(f"{problem}The following parameters are not supported by the OS {base}: {names}")


def _disk(values: dict[str, Any]) -> Disk:
    params = {key: value for key, value in values.items() if key not in ("name", "size", "mode")}
    size = -(-values["size"] // MINIMUM_DISK) * MINIMUM_DISK
    return Disk(size=size, name=values.get("name"), mode=values.get("mode", "rw"), params=params)


def _add(op: Operation, instance: Instance) -> None:
    for index, disk in enumerate(instance.disks):
        op.log(f"* disk {index}, size {disk.size}M")
    op.log("* creating instance disks...")
    op.log(f"adding instance {instance.name} to cluster config")
    op.log("adding disks to cluster config")
    store = StoreChange(op.cluster)
    with op.cluster.change():
        for disk in instance.disks:
            store.add(disk)
        store.commit()
        if instance.hypervisor in defaults.CONSOLE_HYPERVISORS:
            instance.network_port = op.cluster.console_port()
        op.cluster.instances[instance.name] = instance


def _deploy(op: Operation, instance: Instance) -> None:
    op.work(0.5)
    if op["no_install"] or not instance.disks:
        return
    op.log("* running the instance OS create scripts...")
    if not op.cluster.options.image_provider:
        return
    try:
        op.provider.deploy(instance.name, instance.osparams, instance.disks[0].size, op.work)
    except ImageError as error:
        raise execution(
            f"Could not add os for instance {instance.name} on node {instance.node}: OS create script failed"
            f" (exited with exit code 1), last lines in the log file:\n{error}"
        ) from None
