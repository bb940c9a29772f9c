"""Addresses of ports: taken, given back, recorded (network contract 9 and 14)."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from cyclades.logic.address_pools import (
    AddressOutside,
    AddressTaken,
    Allocation,
    LockedPools,
    NoAddressLeft,
)
from cyclades.models import IPAddress, IPAddressHistory, Network, Port, Subnet
from synnefo import clock
from synnefo.errors import BadRequest, Conflict

log = logging.getLogger(__name__)

ASSOCIATE, DISASSOCIATE = "associate", "disassociate"


def eui64(mac: str, cidr: str) -> str:
    """Return the address that SLAAC makes of *mac* in the IPv6 network *cidr*; raises ``ValueError``."""
    octets = [int(part, 16) for part in mac.split(":")]
    if len(octets) != 6 or not all(0 <= octet < 256 for octet in octets):
        raise ValueError(f"'{mac}' is not a MAC address")
    network = ipaddress.IPv6Network(cidr)
    interface = bytes([octets[0] ^ 0b10, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return str(network.network_address + int.from_bytes(interface, "big"))


def take(pools: LockedPools, network: Network, address: str | None) -> Allocation | None:
    """Take *address*, or the lowest free one, for a new port; ``None`` for a network without IPv4.

    Raises ``Conflict`` when it is taken or none is left, ``BadRequest`` for one outside the pools.
    """
    if not pools.has_pools(network.pk):
        if address is not None:
            raise BadRequest(f"Network {network.pk} has no IPv4 subnet to take {address} from.")
        return None
    try:
        return pools.take_first(network.pk) if address is None else pools.take(network.pk, address)
    except NoAddressLeft as error:
        raise Conflict(f"Network {network.pk} has no free IPv4 address left.") from error
    except AddressTaken as error:
        raise Conflict(f"Address {address} of network {network.pk} is in use or reserved.") from error
    except AddressOutside as error:
        raise BadRequest(f"Address {address} is in no allocation pool of network {network.pk}.") from error


def store(port: Port, allocation: Allocation) -> IPAddress:
    """Write the address that was taken for *port*."""
    return IPAddress.objects.create(
        subnet=allocation.subnet,
        network_id=allocation.subnet.network_id,
        nic=port,
        userid=port.userid,
        address=allocation.address,
        ipversion=4,
    )


def allocate_address(port: Port, subnet: Subnet) -> IPAddress:
    """Give *port* the lowest free address of its IPv4 *subnet*; raises ``Conflict``."""
    allocation = take(LockedPools([subnet.network_id]), port.network, None)
    if allocation is None:
        raise Conflict(f"Network {subnet.network_id} has no allocation pool.")
    return store(port, allocation)


def reserve_exact(port: Port, network: Network, address: str) -> IPAddress:
    """Give *port* this *address* of *network*; raises ``Conflict`` and ``BadRequest``."""
    allocation = take(LockedPools([network.pk]), network, address)
    if allocation is None:
        raise BadRequest(f"Network {network.pk} has no IPv4 subnet.")
    return store(port, allocation)


def release(ip: IPAddress) -> None:
    """Delete the row of a private address and give it back to its pool, in the caller's transaction."""
    release_all([ip])


def release_all(ips: Sequence[IPAddress]) -> None:
    """Delete the rows of plain addresses and give them back to their pools."""
    if not ips:
        return
    pools = LockedPools({ip.network_id for ip in ips if ip.ipversion == 4})
    pools.give_back((ip.network_id, ip.address) for ip in ips if ip.ipversion == 4)
    IPAddress.objects.filter(pk__in=[ip.pk for ip in ips]).delete()


def detach_from_ports(ports: Sequence[Port], reason: str | None = None) -> None:
    """Take every address off *ports*: floating IPs become free, others go back to their pools.

    *reason* is added to the usual text of the history.
    """
    note = f" ({reason})" if reason else ""
    ips = list(IPAddress.objects.filter(nic__in=[port.pk for port in ports], deleted=False))
    by_port = {port.pk: port for port in ports}
    record_history(
        (by_port[ip.nic_id], ip.address, DISASSOCIATE, f"remove ip from port {ip.nic_id}{note}")
        for ip in ips
        if ip.nic_id is not None
    )
    floating = [ip.pk for ip in ips if ip.floating_ip]
    if floating:
        IPAddress.objects.filter(pk__in=floating).update(nic=None, updated=clock.now())
    release_all([ip for ip in ips if not ip.floating_ip])


def record_history(
    events: Iterable[tuple[Port, str, str, str]], *, former_network: Network | None = None
) -> None:
    """Write who has or had public addresses: (port, address, action, reason) of ports on servers.

    Only public networks count, and only ports of a server (network contract 14). The network is the ports',
    unless they have left *former_network*, whose addresses these were.
    """
    now = clock.now()
    IPAddressHistory.objects.bulk_create(
        IPAddressHistory(
            address=address,
            server_id=port.machine.pk,
            network_id=(former_network or port.network).pk,
            user_id=port.machine.userid,
            action=action,
            action_date=now,
            action_reason=reason,
        )
        for port, address, action, reason in events
        if port.machine is not None and (former_network or port.network).public
    )


def record_association(ports: Sequence[Port]) -> None:
    """Write that the IPv4 addresses of *ports*, prefetched, now belong to their servers."""
    floating = [ip.pk for port in ports for ip in port.ips.all() if ip.floating_ip]
    if floating:
        # They show their server, to those who poll for changes, too.
        IPAddress.objects.filter(pk__in=floating).update(updated=clock.now())
    record_history(
        (port, ip.address, ASSOCIATE, f"associate port {port.pk}")
        for port in ports
        for ip in port.ips.all()
        if ip.ipversion == 4
    )


def set_port_addresses(port: Port, ipv4: str | None, ipv6: str | None) -> bool:
    """Make the rows say what Ganeti reports of *port*; return whether anything changed.

    Ganeti is authoritative. *ipv6* follows from the MAC address; ``None`` says nothing about it. The
    caller holds the server's lock. An address that another port has is left there and logged.
    """
    ips = [ip for ip in port.ips.all() if not ip.deleted]
    # The port may have come from another network.
    left = [ip for ip in ips if ip.network_id != port.network_id]
    current = {ip.ipversion: ip for ip in ips if ip.network_id == port.network_id}
    wanted = {4: ipv4} if ipv6 is None else {4: ipv4, 6: ipv6}
    changed = [
        version
        for version, address in wanted.items()
        if (current[version].address if version in current else None) != address
    ]
    if not changed and not left:
        return False
    involved = {ip.network_id for ip in left}
    pools = LockedPools(involved | ({port.network_id} if 4 in changed else set()))
    for ip in left:
        _drop(port, ip, pools)
    for version in changed:
        if version in current:
            _drop(port, current[version], pools)
        _adopt(port, version, wanted[version], pools)
    return True


def reserve_external(network: Network, addresses: Sequence[str]) -> None:
    """Withhold *addresses* of the locked *network*; those in no pool are nobody's to hand out."""
    pools = LockedPools([network.pk])
    for address in addresses:
        try:
            pools.set_reserved(network.pk, address, reserved=True)
        except AddressOutside:
            log.info("network %s has no pool with %s, which was reserved in Ganeti", network.pk, address)


def _subnet(port: Port, ipversion: int) -> Subnet | None:
    return next((s for s in port.network.subnets.all() if s.ipversion == ipversion and not s.deleted), None)


def _drop(port: Port, ip: IPAddress, pools: LockedPools) -> None:
    former = None if ip.network_id == port.network_id else ip.network
    record_history(
        [(port, ip.address, DISASSOCIATE, f"remove ip from port {port.pk}")], former_network=former
    )
    if ip.floating_ip:
        IPAddress.objects.filter(pk=ip.pk).update(nic=None, updated=clock.now())
        return
    if ip.ipversion == 4:
        pools.give_back([(ip.network_id, ip.address)])
    IPAddress.objects.filter(pk=ip.pk).delete()


def _adopt(port: Port, ipversion: int, address: str | None, pools: LockedPools) -> None:
    subnet = _subnet(port, ipversion)
    if address is None or subnet is None:
        return
    holder = _in_use(port, address).first()
    if holder is not None and holder.nic_id not in (None, port.pk):
        log.error("port %s reports %s, which port %s has", port.pk, address, holder.nic_id)
        return
    if holder is not None:
        IPAddress.objects.filter(pk=holder.pk).update(nic=port, updated=clock.now())
    else:
        if ipversion == 4:
            pools.mark_used(port.network_id, address)
        IPAddress.objects.create(
            subnet=subnet,
            network_id=port.network_id,
            nic=port,
            userid=port.userid,
            address=address,
            ipversion=ipversion,
        )
    record_history([(port, address, ASSOCIATE, f"change address of port {port.pk}")])


def _in_use(port: Port, address: str) -> QuerySet[IPAddress]:
    return IPAddress.objects.filter(network_id=port.network_id, address=address, deleted=False)
