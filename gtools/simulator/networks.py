"""The OP_NETWORK_* opcodes."""

from __future__ import annotations

from collections.abc import Callable

from gtools.simulator.cluster import Network, Nic
from gtools.simulator.errors import prerequisite
from gtools.simulator.operation import Operation
from gtools.simulator.parameters import check_tags
from gtools.simulator.pools import AddressPool, check_mac_prefix, initial_reservations

_GROUP = "default"
_CONFLICT = "Conflicting IP addresses found;  remove/modify the corresponding network interfaces"


def add(op: Operation) -> None:
    """Create a network with its address pool."""
    name = op["network_name"]
    check_tags(op["tags"])
    op.begin()
    with op.cluster.lock:
        existing = op.cluster.networks.get(name)
        if existing is not None:
            raise prerequisite(
                f"Desired network name '{name}' already exists as a network (UUID: {existing.uuid})",
                "already_exists",
            )
        mac_prefix = check_mac_prefix(op["mac_prefix"])
        op.end_of_checks()
        reserved = initial_reservations(name, op["network"], op["gateway"], op["add_reserved_ips"] or [])
        if op["conflicts_check"]:
            reserved = _reserve_nodes(op, reserved)
    op.work(0.3)
    with op.cluster.change():
        op.cluster.networks[name] = Network(
            name=name,
            network=op["network"],
            gateway=op["gateway"],
            network6=op["network6"],
            gateway6=op["gateway6"],
            mac_prefix=mac_prefix,
            reserved=reserved,
            tags=sorted(set(op["tags"])),
        )


def connect(op: Operation) -> None:
    """Make a network usable in the node group."""
    network = op.cluster.network(op["network_name"])
    op.cluster.check_group(op["group_name"])
    op.begin()
    if _GROUP in network.groups:
        op.warn(f"Network '{network.name}' is already mapped to group '{_GROUP}'")
        op.end_of_checks()
        return
    if op["conflicts_check"]:
        pool = op.cluster.pool(network)
        _check_addresses(
            op, network, "connect to", lambda nic: nic.network is None and pool.contains(nic.ip or "")
        )
    op.end_of_checks()
    op.work(0.3)
    with op.cluster.change():
        network.groups[_GROUP] = [op["network_mode"], op["network_link"], op["network_vlan"]]


def disconnect(op: Operation) -> None:
    """Take a network away from the node group."""
    network = op.cluster.network(op["network_name"])
    op.cluster.check_group(op["group_name"])
    op.begin()
    if _GROUP not in network.groups:
        op.warn(f"Network '{network.name}' is not mapped to group '{_GROUP}'")
        op.end_of_checks()
        return
    _check_addresses(op, network, "disconnect from", lambda nic: nic.network == network.uuid)
    op.end_of_checks()
    op.work(0.3)
    with op.cluster.change():
        network.groups.pop(_GROUP)


def remove(op: Operation) -> None:
    """Delete a network that is connected nowhere."""
    network = op.cluster.network(op["network_name"])
    op.begin()
    if network.groups:
        groups = ", ".join(network.groups)
        op.warn(f"Network '{network.name}' is connected to the following node groups: {groups}")
        raise prerequisite("Network still connected", "wrong_state")
    op.end_of_checks()
    op.work(0.3)
    with op.cluster.change():
        del op.cluster.networks[network.name]


def set_params(op: Operation) -> None:
    """Change a network's gateway, prefix or reservations."""
    network = op.cluster.network(op["network_name"])
    op.begin()
    op.end_of_checks()
    with op.cluster.change():
        pool = AddressPool(network.network, external=network.reserved)
        for address in op["add_reserved_ips"] or []:
            if not pool.is_free(address):
                problem = f"IP {address} is already externally reserved"
                op.warn(f"Cannot reserve IP address {address}: {problem}")
            else:
                network.reserved.append(address)
        for address in op["remove_reserved_ips"] or []:
            if address in network.reserved:
                network.reserved.remove(address)
            else:
                op.warn(f"Cannot release IP address {address}: IP {address} is not reserved")
        for name in ("gateway", "network6", "gateway6", "mac_prefix"):
            if op[name] is not None:
                value = None if op[name] == "none" else op[name]
                setattr(network, name, check_mac_prefix(value) if name == "mac_prefix" else value)
        network.touch()


def _reserve_nodes(op: Operation, reserved: list[str]) -> list[str]:
    pool = AddressPool(op["network"], external=reserved)
    result = list(reserved)
    for node in op.cluster.options.all_nodes:
        if pool.contains(node.address) and node.address not in result:
            op.info(f"Reserved IP address of node '{node.name}' ({node.address})")
            result.append(node.address)
    return result


def _check_addresses(op: Operation, network: Network, verb: str, matches: Callable[[Nic], bool]) -> None:
    """Fail when NICs with addresses are in the way."""
    uses = []
    with op.cluster.lock:
        for instance in op.cluster.instances.values():
            numbered = [(index, nic) for index, nic in enumerate(instance.nics) if nic.ip is not None]
            taken = [f"nic{index}/{nic.ip}" for index, nic in numbered if matches(nic)]
            if taken:
                uses.append(f"{instance.name}: {', '.join(taken)}")
    if uses:
        op.warn(
            f"IP addresses from network '{network.name}', which is about to {verb} node group"
            f" '{_GROUP}', are in use: {'; '.join(uses)}"
        )
        raise prerequisite(_CONFLICT, "wrong_state")
