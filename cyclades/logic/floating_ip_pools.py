"""Which networks give floating IPs, and how many they have left (compute contract 13)."""

from __future__ import annotations

from dataclasses import dataclass

from cyclades.logic.address_pools import AddressPool
from cyclades.logic.network_visibility import visible_networks
from cyclades.models import IPPool
from synnefo.credentials import Credentials


@dataclass
class FloatingIPPool:
    """A network that floating IPs come from; counts of addresses, none free while it is drained."""

    network_id: int
    size: int = 0
    free: int = 0


def list_pools(credentials: Credentials) -> list[FloatingIPPool]:
    """Return the visible pools by network id, read without a lock."""
    networks = visible_networks(credentials).filter(floating_ip_pool=True, deleted=False)
    found = {network.pk: FloatingIPPool(network.pk) for network in networks.order_by("pk")}
    drained = {network.pk for network in networks if network.drained}
    rows = IPPool.objects.filter(
        subnet__network_id__in=found, subnet__deleted=False, subnet__ipversion=4
    ).select_related("subnet")
    for row in rows:
        pool, bits = found[row.subnet.network_id], AddressPool(row).bits
        pool.size += bits.size
        pool.free += 0 if row.subnet.network_id in drained else bits.count_free()
    return list(found.values())
