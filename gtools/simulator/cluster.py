"""The simulated cluster's configuration: instances, networks and tags, kept in one JSON file."""

from __future__ import annotations

import dataclasses
import json
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gtools.simulator import defaults
from gtools.simulator.errors import prerequisite
from gtools.simulator.options import SimulatorOptions
from gtools.simulator.pools import AddressPool


def _new_uuid() -> str:
    return str(uuid.uuid4())


@dataclass
class Nic:
    """A network interface; ``params`` holds mode, link and vlan where they differ from the cluster's."""

    mac: str
    name: str | None = None
    ip: str | None = None
    network: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    uuid: str = field(default_factory=_new_uuid)


@dataclass
class Disk:
    """A disk; ``size`` in MiB, ``params`` the provider's own."""

    size: int
    name: str | None = None
    mode: str = "rw"
    params: dict[str, Any] = field(default_factory=dict)
    uuid: str = field(default_factory=_new_uuid)


@dataclass
class Instance:
    """An instance; ``running`` is what the hypervisor would say, with the parameters it was started with."""

    name: str
    os: str
    node: str
    disk_template: str
    hypervisor: str
    nics: list[Nic] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    beparams: dict[str, Any] = field(default_factory=dict)
    hvparams: dict[str, Any] = field(default_factory=dict)
    osparams: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    admin_state: str = "down"
    running: dict[str, int] | None = None
    network_port: int | None = None
    uuid: str = field(default_factory=_new_uuid)
    serial_no: int = 1
    ctime: float = field(default_factory=time.time)
    mtime: float = field(default_factory=time.time)

    def touch(self) -> None:
        """Note that the configuration changed."""
        self.serial_no += 1
        self.mtime = time.time()

    def filled_beparams(self) -> dict[str, Any]:
        """Return backend parameters with the cluster's defaults."""
        return {**defaults.BEPARAMS, **self.beparams}

    def start(self) -> None:
        """Bring it up with the present parameters."""
        filled = self.filled_beparams()
        self.admin_state = "up"
        self.running = {"memory": filled["maxmem"], "vcpus": filled["vcpus"]}

    def stop(self) -> None:
        """Bring it down."""
        self.admin_state = "down"
        self.running = None


@dataclass
class Network:
    """A network; ``reserved`` addresses are set aside from outside, ``groups``: name → [mode, link, vlan]."""

    name: str
    network: str
    gateway: str | None = None
    network6: str | None = None
    gateway6: str | None = None
    mac_prefix: str | None = None
    reserved: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    uuid: str = field(default_factory=_new_uuid)
    serial_no: int = 1
    ctime: float = field(default_factory=time.time)
    mtime: float = field(default_factory=time.time)

    def touch(self) -> None:
        """Note that the configuration changed."""
        self.serial_no += 1
        self.mtime = time.time()


class Cluster:
    """All configuration, guarded by ``lock``; change it inside :meth:`change`, which also saves it."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.uuid = _new_uuid()
        self.group_uuid = _new_uuid()
        self.node_uuids = {node.name: _new_uuid() for node in options.all_nodes}
        self.ctime = time.time()
        self.serial_no = 1
        self.instances: dict[str, Instance] = {}
        self.networks: dict[str, Network] = {}
        self.detached_disks: list[Disk] = []
        #: Names of the volumes that ExtStorage providers keep.
        self.volumes: set[str] = set()
        self.tags: list[str] = []
        self.parameters: dict[str, Any] = {}
        #: Called, with the lock held, after every change.
        self.observers: list[Callable[[], None]] = []
        if options.state_file.exists():
            self._load(options.state_file)

    # -- persistence -------------------------------------------------------------------------------------

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the lock while changing the configuration and save it afterwards."""
        with self.lock:
            yield
            self.save()

    def save(self) -> None:
        """Write the state file, whole or not at all."""
        with self.lock:
            state = {
                "uuid": self.uuid,
                "group_uuid": self.group_uuid,
                "node_uuids": self.node_uuids,
                "ctime": self.ctime,
                "serial_no": self.serial_no,
                "instances": [dataclasses.asdict(instance) for instance in self.instances.values()],
                "networks": [dataclasses.asdict(network) for network in self.networks.values()],
                "detached_disks": [dataclasses.asdict(disk) for disk in self.detached_disks],
                "volumes": sorted(self.volumes),
                "tags": self.tags,
                "parameters": self.parameters,
            }
            path = self.options.state_file
            temporary = path.with_name(path.name + ".new")
            temporary.write_text(json.dumps(state))
            temporary.replace(path)
            for observer in self.observers:
                observer()

    def _load(self, path: Path) -> None:
        state = json.loads(path.read_text())
        self.uuid, self.group_uuid = state["uuid"], state["group_uuid"]
        self.node_uuids = {**self.node_uuids, **state["node_uuids"]}
        self.ctime, self.serial_no = state["ctime"], state["serial_no"]
        for item in state["instances"]:
            nics = [Nic(**nic) for nic in item.pop("nics")]
            disks = [Disk(**disk) for disk in item.pop("disks")]
            if item["node"] not in {node.name for node in self.options.all_nodes}:
                item["node"] = self.options.all_nodes[0].name
            self.instances[item["name"]] = Instance(**item, nics=nics, disks=disks)
        self.networks = {item["name"]: Network(**item) for item in state["networks"]}
        self.detached_disks = [Disk(**item) for item in state["detached_disks"]]
        self.volumes = set(state.get("volumes", ()))
        self.tags, self.parameters = state["tags"], state["parameters"]

    # -- look-up -----------------------------------------------------------------------------------------

    def instance(self, name: str) -> Instance:
        """Return an instance or fail like an opcode that names an unknown one."""
        try:
            return self.instances[name]
        except KeyError:
            raise prerequisite(f"Instance '{name}' not known", "unknown_entity") from None

    def network(self, name: str) -> Network:
        """Return a network by name or uuid, or fail like an opcode that names an unknown one."""
        for network in self.networks.values():
            if name in (network.name, network.uuid):
                return network
        raise prerequisite(f"Network '{name}' not found", "unknown_entity")

    def check_group(self, name: str) -> None:
        """Fail like an opcode that names an unknown node group."""
        if name not in ("default", self.group_uuid):
            raise prerequisite(f"Node group '{name}' not found", "unknown_entity")

    @property
    def enabled_disk_templates(self) -> list[str]:
        """The disk templates that new instances may have."""
        return list(self.parameters.get("enabled_disk_templates") or self.options.disk_templates)

    @property
    def ipolicy(self) -> dict[str, Any]:
        """The instance policy in force."""
        policy = defaults.ipolicy(self.options.disk_templates)
        return {**policy, **(self.parameters.get("ipolicy") or {})}

    def hypervisor_defaults(self, hypervisor: str) -> dict[str, Any]:
        """Return a hypervisor's parameters as the cluster has them."""
        changed = (self.parameters.get("hvparams") or {}).get(hypervisor, {})
        return {**defaults.HVPARAMS.get(hypervisor, {}), **changed}

    # -- resources ---------------------------------------------------------------------------------------

    def pool(self, network: Network) -> AddressPool:
        """Return which addresses of a network are taken, by instances and from outside."""
        used = [
            nic.ip
            for instance in self.instances.values()
            for nic in instance.nics
            if nic.network == network.uuid and nic.ip is not None
        ]
        return AddressPool(network.network, external=network.reserved, used=used)

    def new_mac(self, network: Network | None, taken: set[str]) -> str:
        """Return a MAC address no NIC has; ``taken`` are those promised to NICs not yet stored."""
        prefix = (network.mac_prefix if network else None) or defaults.MAC_PREFIX
        existing = {nic.mac for instance in self.instances.values() for nic in instance.nics} | taken
        while True:
            mac = ":".join([prefix, *(f"{octet:02x}" for octet in secrets.token_bytes(3))])
            if mac not in existing:
                return mac

    def console_port(self) -> int:
        """Return the lowest console port no instance has."""
        ports = {instance.network_port for instance in self.instances.values()}
        port = defaults.FIRST_CONSOLE_PORT
        while port in ports or not self._is_free(port):
            port += 1
        return port

    def _is_free(self, port: int) -> bool:
        """Tell whether a console can be opened at *port*; another cluster on this host may use it."""
        address = self.options.console_address
        if address is None:
            return True
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
        return True

    def free_memory(self, node: str) -> int:
        """Return how much memory a node has left, in MiB."""
        options = next(item for item in self.options.all_nodes if item.name == node)
        running = [item.running["memory"] for item in self._on(node) if item.running]
        return options.memory - options.memory_of_system - sum(running)

    def free_disk(self, node: str) -> int:
        """Return how much disk space a node has left, in MiB."""
        options = next(item for item in self.options.all_nodes if item.name == node)
        return options.disk - sum(disk.size for item in self._on(node) for disk in item.disks)

    def used_cpus(self, node: str) -> int:
        """Return how many virtual CPUs a node's running instances have."""
        return sum(item.running["vcpus"] for item in self._on(node) if item.running)

    def _on(self, node: str) -> list[Instance]:
        return [item for item in self.instances.values() if item.node == node]
