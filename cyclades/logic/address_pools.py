"""The IPv4 pools of networks as rows: locked together, in one order, for all changes (network contract 8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cyclades.logic.pools import AddressValues, BitPool, InvalidValue, PoolExhausted, ValueNotAvailable
from cyclades.models import IPPool, Subnet
from synnefo.db.locks import lock_rows


class NoAddressLeft(Exception):
    """Every address of the network is in use or withheld."""


class AddressTaken(Exception):
    """The address is in use or withheld."""


class AddressOutside(Exception):
    """The address is in none of the network's pools."""


@dataclass(frozen=True)
class Allocation:
    """An address that was taken, and its subnet."""

    address: str
    subnet: Subnet


class AddressPool:
    """One row with its maps decoded."""

    def __init__(self, row: IPPool) -> None:
        self.row = row
        self.subnet = row.subnet
        self.bits = BitPool(row.size, row.available_map, row.reserved_map)
        self.values = AddressValues(row.subnet.cidr, row.offset or 0)

    @property
    def first(self) -> str:
        """Return the lowest address of the pool."""
        return self.values.value(0)

    @property
    def last(self) -> str:
        """Return the highest address of the pool."""
        return self.values.value(self.bits.size - 1)

    def index(self, address: str) -> int | None:
        """Return the place of *address*, ``None`` when it is not in this pool."""
        try:
            index = self.values.index(address)
            self.bits.is_free(index)
        except InvalidValue:
            return None
        return index

    def save(self) -> None:
        """Write the maps."""
        self.row.available_map = self.bits.available_map
        self.row.reserved_map = self.bits.reserved_map
        self.row.save(update_fields=["available_map", "reserved_map"])


class LockedPools:
    """All IPv4 pools of some networks, locked in the caller's transaction until it ends.

    Lock the networks first (where they are locked at all), and ask for every network of a use case at
    once: the rows are locked in the order of their ids.
    """

    def __init__(self, network_ids: Collection[int]) -> None:
        rows = lock_rows(
            IPPool.objects.filter(
                subnet__network_id__in=sorted(network_ids), subnet__deleted=False, subnet__ipversion=4
            ).select_related("subnet")
        )
        self._pools: dict[int, list[AddressPool]] = defaultdict(list)
        for row in rows:
            self._pools[row.subnet.network_id].append(AddressPool(row))

    def has_pools(self, network_id: int) -> bool:
        """Tell whether ports of the network get IPv4 addresses."""
        return bool(self._pools.get(network_id))

    def take_first(self, network_id: int) -> Allocation:
        """Take the lowest free address over the network's pools in order; raises ``NoAddressLeft``."""
        for pool in self._pools.get(network_id, ()):
            try:
                index = pool.bits.take_first()
            except PoolExhausted:
                continue
            pool.save()
            return Allocation(pool.values.value(index), pool.subnet)
        raise NoAddressLeft

    def take(self, network_id: int, address: str) -> Allocation:
        """Take *address*; raises ``AddressOutside`` and ``AddressTaken``."""
        pool, index = self._locate(network_id, address)
        try:
            pool.bits.take(index)
        except ValueNotAvailable as error:
            raise AddressTaken from error
        pool.save()
        return Allocation(address, pool.subnet)

    def mark_used(self, network_id: int, address: str) -> None:
        """Note that *address*, which may be in no pool, is in use."""
        try:
            pool, index = self._locate(network_id, address)
        except AddressOutside:
            return
        if pool.bits.is_available(index):
            pool.bits.mark_used(index)
            pool.save()

    def give_back(self, addresses: Iterable[tuple[int, str]]) -> None:
        """Return (network id, address) pairs; addresses that no pool has need nothing."""
        changed: dict[int, AddressPool] = {}
        for network_id, address in addresses:
            try:
                pool, index = self._locate(network_id, address)
            except AddressOutside:
                continue
            pool.bits.give_back(index)
            changed[pool.row.pk] = pool
        for pool in changed.values():
            pool.save()

    def set_reserved(self, network_id: int, address: str, *, reserved: bool) -> None:
        """Withhold *address* from being handed out, or stop that; raises ``AddressOutside``."""
        pool, index = self._locate(network_id, address)
        if pool.bits.is_reserved(index) == reserved:
            return
        if reserved:
            pool.bits.reserve(index)
        else:
            pool.bits.unreserve(index)
        pool.save()

    def _locate(self, network_id: int, address: str) -> tuple[AddressPool, int]:
        for pool in self._pools.get(network_id, ()):
            index = pool.index(address)
            if index is not None:
                return pool, index
        raise AddressOutside
