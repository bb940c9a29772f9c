"""Choosing what must stop or go when somebody uses more than the limit (Ganeti contract 11).

Pure rules over values: nothing here reads the database or changes anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

CPU, RAM = "cyclades.cpu", "cyclades.ram"
VM, TOTAL_CPU, TOTAL_RAM = "cyclades.vm", "cyclades.total_cpu", "cyclades.total_ram"
DISK, FLOATING_IP = "cyclades.disk", "cyclades.floating_ip"

#: What happens to get below the limit of a resource: (enforced, softly enforced).
ACTIONS: Mapping[str, tuple[str, str]] = {
    CPU: ("shut down servers", ""),
    RAM: ("shut down servers", ""),
    VM: ("delete servers", "shut down servers"),
    TOTAL_CPU: ("delete servers", "shut down servers"),
    TOTAL_RAM: ("delete servers", "shut down servers"),
    DISK: ("delete volumes", ""),
    FLOATING_IP: ("delete floating IPs", "detach floating IPs"),
}
#: The order in which resources are looked at; true stands for the soft way.
ORDER: tuple[tuple[str, bool], ...] = (
    (CPU, False),
    (RAM, False),
    (TOTAL_CPU, True),
    (TOTAL_RAM, True),
    (VM, True),
    (TOTAL_CPU, False),
    (TOTAL_RAM, False),
    (VM, False),
    (DISK, False),
    (FLOATING_IP, True),
    (FLOATING_IP, False),
)
#: Resources whose enforcement loses data.
DESTRUCTIVE = frozenset({VM, TOTAL_CPU, TOTAL_RAM, DISK, FLOATING_IP})

_SERVER_LEVELS = {"ERROR": 0, "BUILD": 1, "STOPPED": 2, "STARTED": 3, "RESIZE": 3}
_VOLUME_LEVELS = {
    "ERROR": 0,
    "ERROR_DELETING": 1,
    "CREATING": 2,
    "AVAILABLE": 3,
    "ATTACHING": 4,
    "DETACHING": 4,
    "DELETING": 5,
    "DELETED": 5,
    "BACKING_UP": 6,
    "RESTORING": 6,
    "ERROR_RESTORING": 6,
    "IN_USE": 7,
}
_LAST = 9


class Kind(StrEnum):
    """What an action is done to; in the order of execution."""

    FLOATING_IP = "floating_ip"
    VM = "vm"
    VOLUME = "volume"


class Action(StrEnum):
    """What is done."""

    SHUTDOWN = "SHUTDOWN"
    DETACH = "DETACH"
    REMOVE = "REMOVE"


@dataclass(frozen=True)
class ServerFacts:
    """A server as far as it matters here; ``ram`` in MiB."""

    id: int
    user: str
    project: str
    state: str
    backend: int | None
    cpu: int
    ram: int


@dataclass(frozen=True)
class VolumeFacts:
    """A volume; ``size`` in GiB, ``server`` None for one that is on none."""

    id: int
    user: str
    project: str
    status: str
    size: int
    server: int | None
    index: int | None


@dataclass(frozen=True)
class AddressFacts:
    """A floating IP; ``server`` None for one that is on no server."""

    id: int
    user: str
    project: str
    server: int | None
    is_free: bool


@dataclass(frozen=True)
class Stock:
    """Everything that actions may choose from."""

    servers: Sequence[ServerFacts] = ()
    volumes: Sequence[VolumeFacts] = ()
    addresses: Sequence[AddressFacts] = ()


@dataclass(frozen=True)
class Holding:
    """What somebody uses; ``user`` None for a whole project."""

    user: str | None
    project: str
    resource: str
    limit: int
    usage: int


@dataclass(frozen=True)
class Violation:
    """A holding above its limit; ``unresolved`` is what stays above it after every action."""

    number: int
    holding: Holding
    unresolved: int = 0


@dataclass(frozen=True)
class PlannedAction:
    """What is to be done to one object, and the violation that first asked for it."""

    kind: Kind
    id: int
    state: str
    backend: int | None
    action: Action
    violation: int


@dataclass(frozen=True)
class Options:
    """What may be chosen: system volumes with their servers, servers with further volumes."""

    soft: frozenset[str] = frozenset()
    remove_system_volumes: bool = False
    cascade_remove: bool = False


@dataclass(frozen=True)
class Plan:
    """All violations in the order they were found, and all actions in the order of execution."""

    violations: list[Violation] = field(default_factory=list)
    actions: list[PlannedAction] = field(default_factory=list)


def plan(holdings: Iterable[Holding], stock: Stock, options: Options) -> Plan:
    """Choose the actions that bring *holdings* below their limits.

    Projects' own holdings come first, all resources in the order of the contract; then users' ones.
    """
    planner = _Planner(stock, options)
    given = sorted(holdings, key=lambda holding: (holding.user or "", holding.project))
    for own in (True, False):
        for resource, soft in ORDER:
            if soft != (resource in options.soft):
                continue
            for holding in given:
                if holding.resource == resource and own == (holding.user is None):
                    planner.handle(holding, soft=soft)
    return Plan(planner.violations, planner.ordered_actions())


class _Planner:
    """The actions chosen so far; an object has one, and deletion overrides everything else."""

    def __init__(self, stock: Stock, options: Options) -> None:
        self.stock = stock
        self.options = options
        self.violations: list[Violation] = []
        self.chosen: dict[tuple[Kind, int], PlannedAction] = {}
        self.servers = {server.id: server for server in stock.servers}
        self.volumes_of: dict[int, list[VolumeFacts]] = defaultdict(list)
        for volume in stock.volumes:
            if volume.server is not None:
                self.volumes_of[volume.server].append(volume)

    def handle(self, holding: Holding, *, soft: bool) -> None:
        """Choose actions until *holding* is below its limit or nothing more may be chosen."""
        excess = holding.usage - holding.limit
        if excess <= 0:
            return
        number = len(self.violations) + 1
        left = self._handler(holding.resource, soft)(number, holding, excess)
        self.violations.append(Violation(number, holding, max(0, left)))

    def _handler(self, resource: str, soft: bool) -> Callable[[int, Holding, int], int]:
        if resource == FLOATING_IP:
            return self._detach_addresses if soft else self._remove_addresses
        if resource == DISK:
            return self._remove_volumes
        if resource in (CPU, RAM):
            return self._stop_active
        return self._stop_existing if soft else self._remove_servers

    # -- servers -----------------------------------------------------------------------------------------

    def _stop_active(self, number: int, holding: Holding, excess: int) -> int:
        for server in self._servers_of(holding):
            if excess < 1:
                break
            if server.state in ("STARTED", "BUILD", "ERROR"):
                excess -= amount_of(server, holding.resource)
                self._stop(number, server)
        return excess

    def _stop_existing(self, number: int, holding: Holding, excess: int) -> int:
        for server in self._servers_of(holding):
            if excess < 1:
                break
            # One that is stopped already counts as given back.
            excess -= amount_of(server, holding.resource)
            if server.state in ("STARTED", "BUILD", "ERROR"):
                self._stop(number, server)
        return excess

    def _stop(self, number: int, server: ServerFacts) -> None:
        # A failed server has nothing to shut down.
        if server.state == "ERROR":
            self._remove_server(number, server)
        else:
            self._choose(number, Kind.VM, server.id, server.state, server.backend, Action.SHUTDOWN)

    def _remove_servers(self, number: int, holding: Holding, excess: int) -> int:
        for server in self._servers_of(holding):
            if excess < 1:
                break
            if self._may_remove(server):
                excess -= amount_of(server, holding.resource)
                self._remove_server(number, server)
        return excess

    def _servers_of(self, holding: Holding) -> list[ServerFacts]:
        owned = [server for server in self.stock.servers if _belongs(server, holding)]
        return sorted(owned, key=lambda server: (_server_level(server.state), -server.id))

    def _may_remove(self, server: ServerFacts) -> bool:
        extra = any(volume.index != 0 for volume in self.volumes_of[server.id])
        return self.options.cascade_remove or not extra

    def _remove_server(self, number: int, server: ServerFacts) -> None:
        self._choose(number, Kind.VM, server.id, server.state, server.backend, Action.REMOVE)
        for volume in self.volumes_of[server.id]:
            self._choose_volume(number, volume)

    # -- volumes -----------------------------------------------------------------------------------------

    def _remove_volumes(self, number: int, holding: Holding, excess: int) -> int:
        owned = [volume for volume in self.stock.volumes if _belongs(volume, holding)]
        counted: set[int] = set()
        for volume in sorted(owned, key=self._volume_key):
            if excess < 1:
                break
            if volume.id in counted:
                continue
            gone = self._remove_volume(number, volume)
            mine = [other for other in gone if _belongs(other, holding) and other.id not in counted]
            counted.update(other.id for other in mine)
            excess -= sum(other.size << 30 for other in mine)
        return excess

    def _remove_volume(self, number: int, volume: VolumeFacts) -> list[VolumeFacts]:
        """Choose the removal of *volume* if it may be; return all volumes that go with it."""
        if (Kind.VOLUME, volume.id) in self.chosen:
            return [volume]
        server = self.servers.get(volume.server) if volume.server is not None else None
        if server is None or volume.index != 0:
            self._choose_volume(number, volume)
            return [volume]
        if not self.options.remove_system_volumes or not self._may_remove(server):
            return []
        self._remove_server(number, server)
        return self.volumes_of[server.id]

    def _volume_key(self, volume: VolumeFacts) -> tuple[bool, int, int]:
        scheduled = (Kind.VOLUME, volume.id) in self.chosen
        return (not scheduled, _VOLUME_LEVELS.get(volume.status, _LAST), -volume.id)

    def _choose_volume(self, number: int, volume: VolumeFacts) -> None:
        server = self.servers.get(volume.server) if volume.server is not None else None
        backend = server.backend if server is not None else None
        self._choose(number, Kind.VOLUME, volume.id, volume.status, backend, Action.REMOVE)

    # -- floating IPs ------------------------------------------------------------------------------------

    def _detach_addresses(self, number: int, holding: Holding, excess: int) -> int:
        for address in self._addresses_of(holding):
            if excess < 1:
                break
            excess -= 1
            if not address.is_free:
                self._choose_address(number, address, Action.DETACH)
        return excess

    def _remove_addresses(self, number: int, holding: Holding, excess: int) -> int:
        for address in self._addresses_of(holding):
            if excess < 1:
                break
            excess -= 1
            self._choose_address(number, address, Action.REMOVE)
        return excess

    def _addresses_of(self, holding: Holding) -> list[AddressFacts]:
        owned = [address for address in self.stock.addresses if _belongs(address, holding)]
        return sorted(owned, key=lambda address: (self._address_level(address), -address.id))

    def _address_level(self, address: AddressFacts) -> int:
        """Return how easily an address is spared: by what its server will be after the chosen actions."""
        if address.is_free:
            return -2
        server = self.servers.get(address.server) if address.server is not None else None
        if server is None:
            return _LAST
        planned = self.chosen.get((Kind.VM, server.id))
        if planned is None:
            return _server_level(server.state)
        return -1 if planned.action == Action.REMOVE else _server_level("STOPPED")

    def _choose_address(self, number: int, address: AddressFacts, action: Action) -> None:
        server = self.servers.get(address.server) if address.server is not None else None
        state = "FREE" if address.is_free else "USED"
        backend = server.backend if server is not None else None
        self._choose(number, Kind.FLOATING_IP, address.id, state, backend, action)

    # -- bookkeeping -------------------------------------------------------------------------------------

    def _choose(
        self, number: int, kind: Kind, pk: int, state: str, backend: int | None, action: Action
    ) -> None:
        known = self.chosen.get((kind, pk))
        if known is None or (action == Action.REMOVE and known.action != Action.REMOVE):
            self.chosen[kind, pk] = PlannedAction(kind, pk, state, backend, action, number)

    def ordered_actions(self) -> list[PlannedAction]:
        """Return the actions by kind; within a kind as they were chosen."""
        return [action for kind in Kind for action in self.chosen.values() if action.kind == kind]


def _belongs(item: ServerFacts | VolumeFacts | AddressFacts, holding: Holding) -> bool:
    return item.project == holding.project and holding.user in (None, item.user)


def _server_level(state: str) -> int:
    return _SERVER_LEVELS.get(state, _LAST)


def amount_of(server: ServerFacts, resource: str) -> int:
    """Return how much of *resource* a server gives back: CPUs, bytes, or itself."""
    if resource in (CPU, TOTAL_CPU):
        return server.cpu
    if resource in (RAM, TOTAL_RAM):
        return server.ram << 20
    return 1
