"""NICs of new and existing instances: names, networks, addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gtools.simulator import defaults
from gtools.simulator.cluster import Network, Nic
from gtools.simulator.errors import prerequisite
from gtools.simulator.operation import Operation

POOL = "pool"


def check_names(kind: str, names: list[str | None]) -> None:
    """Fail when device names repeat or are plain numbers."""
    seen: set[str] = set()
    for name in names:
        if name is None:
            continue
        if name.isdigit():
            raise prerequisite(
                f"Invalid name '{name}'. Purely numeric {kind} names are not allowed", "wrong_input"
            )
        if name in seen:
            raise prerequisite(f"{kind} name '{name}' already used", "resource_not_unique")
        seen.add(name)


def check_parameters(op: Operation, values: dict[str, Any]) -> Network | None:
    """Return the network that a NIC's parameters name, or fail."""
    name = values.get("network")
    if name is None or name == "none":
        return None
    network = op.cluster.network(str(name))
    if values.get("mode") or values.get("link"):
        raise prerequisite("If network is given, no mode or link is allowed to be passed", "wrong_input")
    return network


@dataclass
class NicPlanner:
    """Plans NICs of one opcode so that they do not take each other's addresses."""

    op: Operation
    macs: set[str] = field(default_factory=set)
    addresses: set[tuple[str, str]] = field(default_factory=set)

    def plan(self, values: dict[str, Any], index: int, *, creating: bool) -> Nic:
        """Return the NIC that parameters describe, its address reserved within this opcode; or fail."""
        network = check_parameters(self.op, values)
        params = {key: str(values[key]) for key in ("mode", "link", "vlan") if values.get(key)}
        if network is not None:
            params = self._inherited(network, index, creating=creating)
        ip = self.address(network, values.get("ip"), index, creating=creating)
        mac = self._mac(network, values.get("mac"))
        return Nic(
            mac=mac,
            name=values.get("name"),
            ip=ip,
            network=network.uuid if network else None,
            params=params,
        )

    def address(self, network: Network | None, ip: str | None, index: int, *, creating: bool) -> str | None:
        """Return the address a NIC gets, or fail when it is taken."""
        if ip in (None, "none"):
            return None
        if network is None:
            self._check_foreign(str(ip))
            return ip
        pool = self.op.cluster.pool(network)
        pool.reserve(address for uuid, address in self.addresses if uuid == network.uuid)
        if ip == POOL:
            chosen = pool.first_free()
            if chosen is None:
                raise prerequisite(
                    f"Unable to get a free IP for NIC {index} from the address pool", "wrong_state"
                )
            self.op.info(f"Chose IP {chosen} from network {network.name}")
        else:
            chosen = str(ip)
            if not pool.is_free(chosen):
                raise prerequisite(_taken(chosen, network.name, creating), "resource_not_unique")
            if not creating:
                self.op.info(f"Reserving IP {chosen} in network {network.name}")
        self.addresses.add((network.uuid, chosen))
        return chosen

    def _inherited(self, network: Network, index: int, *, creating: bool) -> dict[str, str]:
        if "default" not in network.groups:
            raise prerequisite(
                f"No netparams found for the network {network.name}, probably not connected", "wrong_input"
            )
        mode, link, vlan = network.groups["default"]
        if creating:
            self.op.info(f"NIC/{index} inherits netparams {[link, mode, vlan]}")
        return {"mode": mode, "link": link, "vlan": vlan}

    def _check_foreign(self, ip: str) -> None:
        if not self.op["conflicts_check"]:
            return
        for network in self.op.cluster.networks.values():
            if network.groups and self.op.cluster.pool(network).contains(ip):
                raise prerequisite(
                    f"The requested IP address ({ip}) belongs to network {network.name},"
                    " but the target NIC does not.",
                    "wrong_state",
                )

    def _mac(self, network: Network | None, mac: str | None) -> str:
        if mac in (None, "auto", "generate"):
            mac = self.op.cluster.new_mac(network, self.macs)
        else:
            existing = {nic.mac for item in self.op.cluster.instances.values() for nic in item.nics}
            if mac in existing | self.macs:
                raise prerequisite(f"MAC address {mac} already in use in cluster", "resource_not_unique")
        assert mac is not None
        self.macs.add(mac)
        return mac


def filled(nic: Nic) -> dict[str, str]:
    """Return mode, link and vlan of a NIC with the cluster's defaults."""
    return {**defaults.NICPARAMS, **nic.params}


def _taken(ip: str, network: str, creating: bool) -> str:
    if creating:
        return f"IP address {ip} already in use or does not belong to network {network}"
    return f"IP {ip} not available in network {network}"
