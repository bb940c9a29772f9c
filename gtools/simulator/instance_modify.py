"""OP_INSTANCE_SET_PARAMS and OP_INSTANCE_GROW_DISK."""

from __future__ import annotations

import copy
from typing import Any

from gtools.simulator import defaults
from gtools.simulator.cluster import Disk, Instance, Nic
from gtools.simulator.devices import insertion, position
from gtools.simulator.errors import execution, prerequisite
from gtools.simulator.nics import NicPlanner, check_names, check_parameters, filled
from gtools.simulator.operation import Operation
from gtools.simulator.parameters import apply_beparams, apply_hvparams
from gtools.simulator.volume_store import StoreChange, key_of

Changes = list[list[Any]]
_CHANGING = ("nics", "disks", "beparams", "hvparams", "osparams", "os_name")


def set_params(op: Operation) -> Changes:
    """Change an instance; returns pairs of what changed and to what."""
    if not any(op[name] for name in _CHANGING) and op["offline"] is None:
        raise prerequisite("No changes submitted", "wrong_input")
    present = op.cluster.instance(op["instance_name"])
    _check_disk_names(op, present)
    op.begin()
    hotplug = _hotplug(op, present)
    store = StoreChange(op.cluster)
    with op.cluster.lock:
        # All checks and changes are made on a copy, which replaces the instance at the end or not at all.
        changed = copy.deepcopy(present)
        detached = list(op.cluster.detached_disks)
        changes = _change_disks(op, changed, detached, store, hotplug=hotplug)
        nic_changes = copy.deepcopy(op["nics"])
        changes += _change_nics(op, changed, nic_changes)
        changed.beparams = apply_beparams(changed.beparams, op["beparams"])
        changed.hvparams = apply_hvparams(op.cluster, changed.hypervisor, changed.hvparams, op["hvparams"])
        changes += [[f"be/{name}", value] for name, value in op["beparams"].items()]
        changes += [[f"hv/{name}", value] for name, value in op["hvparams"].items()]
        changed.osparams.update(op["osparams"])
        changed.os = op["os_name"] or changed.os
        op.end_of_checks()
    if op["nics"]:
        # Ganeti's job shows the addresses it made up.
        op.fill(nics=nic_changes)
    op.work(1.0)
    with op.cluster.change():
        changed.touch()
        op.cluster.instances[changed.name] = changed
        op.cluster.detached_disks = detached
        store.commit()
    return changes


def grow_disk(op: Operation) -> None:
    """Make a disk bigger."""
    instance = op.cluster.instance(op["instance_name"])
    op.begin()
    index, amount = op["disk"], op["amount"]
    if index >= len(instance.disks):
        raise prerequisite(
            f"Invalid disk index: {index} (instace has disks 0 to {len(instance.disks) - 1}", "wrong_input"
        )
    disk = instance.disks[index]
    target = amount if op["absolute"] else disk.size + amount
    if target < disk.size:
        raise prerequisite("The disk is bigger than that already", "wrong_state")
    op.end_of_checks()
    op.log(f"Growing disk {index} of instance '{instance.name}' by {target - disk.size}M to {target}M")
    op.work(1.0)
    with op.cluster.change():
        disk.size = target
        instance.touch()
    if op["wait_for_sync"]:
        op.info(f"Waiting for instance {instance.name} to sync disks")
        op.info(f"Instance {instance.name}'s disks are in sync")


def _hotplug(op: Operation, instance: Instance) -> bool:
    """Return whether devices can be changed while the instance runs, or fail when that is demanded."""
    possible = instance.hypervisor in defaults.HOTPLUG_HYPERVISORS
    reason = "Hotplug is not supported: Hotplug is not supported by this hypervisor"
    if op["hotplug"] and not possible:
        raise prerequisite(f"Hotplug is not possible: {reason}: {reason}", "wrong_state")
    if not op["hotplug_if_possible"]:
        return bool(op["hotplug"])
    if not possible and instance.running is not None:
        op.warn(reason)
        op.info("Modification will take place without hotplugging.")
    return possible


# -- NICs ------------------------------------------------------------------------------------------------


def _change_nics(op: Operation, instance: Instance, requests: Changes) -> Changes:
    planner = NicPlanner(op)
    changes: Changes = []
    for action, which, values in requests:
        devices = [(nic.name, nic.uuid) for nic in instance.nics]
        if action == "add":
            place = insertion("NIC", len(instance.nics), which)
            check_names("NIC", [*(nic.name for nic in instance.nics), values.get("name")])
            nic = planner.plan(values, place, creating=False)
            instance.nics.insert(place, nic)
            values["mac"] = nic.mac
            changes.append([f"nic.{place}", f"add:{_describe(op, nic)}"])
        elif action == "remove":
            place = position("NIC", devices, which)
            del instance.nics[place]
            changes.append([f"NIC/{place}", "remove"])
        elif action == "modify":
            place = position("NIC", devices, which)
            changes += _modify_nic(op, planner, instance, place, values)
        else:
            raise prerequisite(f"NICs cannot be {action}ed", "wrong_input")
    return changes


def _modify_nic(
    op: Operation, planner: NicPlanner, instance: Instance, place: int, values: dict[str, Any]
) -> Changes:
    nic = instance.nics[place]
    changes: Changes = []
    if "network" in values:
        planned = planner.plan({"ip": nic.ip, **values}, place, creating=False)
        nic.network, nic.params, nic.ip = planned.network, planned.params, planned.ip
    elif "ip" in values and values["ip"] != nic.ip:
        network = op.cluster.network(nic.network) if nic.network else None
        nic.ip = planner.address(network, values["ip"], place, creating=False)
    if "name" in values:
        others = [item.name for item in instance.nics if item is not nic]
        check_names("NIC", [*others, values["name"]])
        nic.name = values["name"]
    check_parameters(op, values)
    changes += [[f"nic.{key}/{place}", getattr(nic, key)] for key in ("name", "ip") if key in values]
    params = filled(nic)
    return changes + [[f"nic.{key}/{place}", params[key]] for key in ("link", "mode", "vlan")]


def _describe(op: Operation, nic: Nic) -> str:
    params = filled(nic)
    network = op.cluster.network(nic.network).name if nic.network else None
    return f"mac={nic.mac},ip={nic.ip},mode={params['mode']},link={params['link']},network={network}"


# -- disks -----------------------------------------------------------------------------------------------


def _check_disk_names(op: Operation, instance: Instance) -> None:
    """Fail for disks that are to be removed and do not exist, as Ganeti does before it begins."""
    names = {name for disk in instance.disks for name in (disk.name, disk.uuid)}
    for action, which, _values in op["disks"]:
        is_name = isinstance(which, str) and not which.removeprefix("-").isdigit()
        if is_name and action in ("remove", "modify", "detach") and which not in names:
            raise prerequisite(f"Lookup of disk '{which}' failed")


def _change_disks(
    op: Operation, instance: Instance, detached: list[Disk], store: StoreChange, *, hotplug: bool
) -> Changes:
    changes: Changes = []
    if any(action == "add" for action, _which, _values in op["disks"]) and not op["wait_for_sync"]:
        _check_disks_active(instance)
    for action, which, values in op["disks"]:
        devices = [(disk.name, disk.uuid) for disk in instance.disks]
        if action == "add":
            changes.append(_add_disk(op, instance, which, values))
            store.add(instance.disks[insertion("disk", len(instance.disks) - 1, which)])
        elif action == "attach":
            place = insertion("disk", len(instance.disks), which)
            instance.disks.insert(place, _take_detached(detached, values))
            changes.append([f"disk/{place}", "attach"])
        elif action == "modify":
            place = position("disk", devices, which)
            former = key_of(instance.disks[place])
            changes += _modify_disk(instance, place, values)
            store.rename(former, instance.disks[place])
        else:
            place = position("disk", devices, which)
            if action == "remove":
                store.remove(instance.disks[place])
            changes.append(_take_disk(instance, detached, action, place, hotplug=hotplug))
    return changes


def _check_disks_active(instance: Instance) -> None:
    if instance.running is None:
        raise prerequisite(
            "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync given",
            "wrong_input",
        )


def _add_disk(op: Operation, instance: Instance, which: int | str, values: dict[str, Any]) -> list[Any]:
    if instance.disk_template == "diskless":
        raise prerequisite("Must specify disk type on diskless instance", "wrong_input")
    size = values.get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise prerequisite("Required disk parameter 'size' missing", "wrong_input")
    place = insertion("disk", len(instance.disks), which)
    check_names("disk", [*(disk.name for disk in instance.disks), values.get("name")])
    if size > op.cluster.free_disk(instance.node):
        raise execution(f"Not enough disk space on node {instance.node}")
    params = {key: value for key, value in values.items() if key not in ("name", "size", "mode")}
    instance.disks.insert(place, Disk(size=size, name=values.get("name"), params=params))
    op.log(f"* disk {place}, size {size}M")
    op.info(f"Instance {instance.name}'s disks are in sync")
    return [f"disk/{place}", f"add:size={size},mode=rw"]


def _take_disk(
    instance: Instance, detached: list[Disk], action: str, place: int, *, hotplug: bool
) -> list[Any]:
    if action == "remove" and instance.running is not None and not hotplug:
        raise prerequisite(
            f"Instance '{instance.name}' is marked to be up, can't remove volume from a running instance"
            " without using hotplug",
            "wrong_state",
        )
    disk = instance.disks.pop(place)
    if action == "detach":
        detached.append(disk)
    if not instance.disks:
        instance.disk_template = "diskless"
    return [f"disk/{place}", action]


def _take_detached(detached: list[Disk], values: dict[str, Any]) -> Disk:
    if len(values) != 1 or next(iter(values)) not in ("name", "uuid"):
        raise prerequisite("Attach needs exactly one of name and uuid", "wrong_input")
    key, wanted = next(iter(values.items()))
    for disk in detached:
        if getattr(disk, key) == wanted:
            detached.remove(disk)
            return disk
    raise prerequisite(f"No disk was found with this {key}: {wanted}", "wrong_input")


def _modify_disk(instance: Instance, place: int, values: dict[str, Any]) -> Changes:
    disk = instance.disks[place]
    if "size" in values:
        raise prerequisite("Disk size change not possible, use grow-disk", "wrong_input")
    changes: Changes = []
    if "name" in values:
        others = [item.name for item in instance.disks if item is not disk]
        check_names("disk", [*others, values["name"]])
        disk.name = values["name"]
        changes.append([f"disk.name/{place}", disk.name])
    if "mode" in values:
        disk.mode = str(values["mode"])
        changes.append([f"disk.mode/{place}", disk.mode])
    extra = {key: value for key, value in values.items() if key not in ("name", "mode")}
    for key, value in extra.items():
        if str(value).lower() == "default":
            disk.params.pop(key, None)
        else:
            disk.params[key] = value
    return changes + [[f"disk.params:{key}/{place}", value] for key, value in extra.items()]
