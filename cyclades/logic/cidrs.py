"""What makes a valid subnet: its range, gateway and allocation pools (network contract 5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

from django.conf import settings

from synnefo.errors import BadRequest, Conflict, OverLimit

LONGEST_IPV4_PREFIX = 29
#: Addresses are made of the MAC, which takes half of an IPv6 address.
IPV6_PREFIX = 64
MAX_ALLOCATION_POOLS = 64

AnyNetwork = IPv4Network | IPv6Network
Range = tuple[IPv4Address, IPv4Address]


class GatewayChoice(Enum):
    """A gateway that is not given as an address."""

    FIRST = "the first address"


Gateway = str | None | GatewayChoice


@dataclass(frozen=True)
class SubnetRanges:
    """A checked subnet; ``pools`` are its IPv4 allocation pools, inclusive and in order."""

    ipversion: int
    cidr: AnyNetwork
    gateway: str | None
    pools: tuple[Range, ...]


def parse_pools(entries: Sequence[Any]) -> list[Range]:
    """Return allocation pools given as ``{"start": …, "end": …}``; raises ``BadRequest``."""
    if len(entries) > MAX_ALLOCATION_POOLS:
        raise BadRequest(f"A subnet has at most {MAX_ALLOCATION_POOLS} allocation pools")
    return [_parse_pool(entry) for entry in entries]


def _parse_pool(entry: Any) -> Range:
    if not isinstance(entry, Mapping) or "start" not in entry or "end" not in entry:
        raise BadRequest("Malformed request: an allocation pool needs 'start' and 'end'")
    try:
        start, end = (IPv4Address(_text(entry[key])) for key in ("start", "end"))
    except ValueError as error:
        raise BadRequest("Allocation pools consist of IPv4 addresses") from error
    return start, end


def parse_cidr(value: Any) -> AnyNetwork:
    """Return the network that *value* describes, host bits cleared; raises ``BadRequest``."""
    try:
        return ipaddress.ip_network(_text(value), strict=False)
    except ValueError as error:
        raise BadRequest("Malformed CIDR") from error


def parse_address(value: Any, field: str, *, ipversion: int | None = None) -> str:
    """Return an IP address in its usual notation; raises ``BadRequest`` naming *field*."""
    try:
        address = ipaddress.ip_address(_text(value))
    except ValueError as error:
        raise BadRequest(f"'{field}' is not a valid IP address") from error
    if ipversion is not None and address.version != ipversion:
        raise BadRequest(f"'{field}' is not a valid IPv{ipversion} address")
    if getattr(address, "scope_id", None):
        raise BadRequest(f"'{field}' must not have a zone")
    return str(address)


def _text(value: Any) -> str:
    # The ipaddress module would take numbers for packed addresses.
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("not an address")
    return value


def plan(*, ipversion: int, cidr: str, gateway: Gateway, pools: Sequence[Range] | None) -> SubnetRanges:
    """Check a subnet's ranges, in the contract's order, and fill in what was left out.

    Raises ``BadRequest``, ``OverLimit`` for an IPv4 size outside the limits, and ``Conflict`` for
    allocation pools that do not fit.
    """
    network = parse_cidr(cidr)
    try:
        ipaddress.ip_network(cidr)
    except ValueError as error:
        raise BadRequest(f"'{cidr}' has host bits set; did you mean {network}?") from error
    if network.version != ipversion:
        raise BadRequest(f"'{cidr}' is not an IPv{ipversion} network")
    _check_size(network)
    gateway_text = _gateway(network, gateway)
    if isinstance(network, IPv6Network):
        if pools:
            raise Conflict("Allocation pools can be given for IPv4 subnets only")
        return SubnetRanges(6, network, gateway_text, ())
    address = IPv4Address(gateway_text) if gateway_text else None
    ordered = sorted(pools) if pools else default_pools(network, address)
    _check_pools(network, address, ordered)
    return SubnetRanges(4, network, gateway_text, tuple(ordered))


def _check_size(network: AnyNetwork) -> None:
    if isinstance(network, IPv6Network):
        if network.prefixlen != IPV6_PREFIX:
            raise BadRequest(f"The prefix of an IPv6 subnet must be {IPV6_PREFIX}, not {network.prefixlen}")
        return
    shortest = settings.MAX_CIDR_BLOCK
    if not shortest <= network.prefixlen <= LONGEST_IPV4_PREFIX:
        raise OverLimit(
            f"The prefix of an IPv4 subnet must be {shortest} to {LONGEST_IPV4_PREFIX},"
            f" not {network.prefixlen}"
        )


def _gateway(network: AnyNetwork, gateway: Gateway) -> str | None:
    if gateway is None:
        return None
    if isinstance(gateway, GatewayChoice):
        return str(network.network_address + 1)
    text = parse_address(gateway, "gateway_ip", ipversion=network.version)
    address = ipaddress.ip_address(text)
    edges = {network.network_address}
    if network.version == 4:
        edges.add(network.broadcast_address)
    if address not in network or address in edges:
        raise BadRequest(f"The gateway {text} is not a host address of {network}")
    return text


def default_pools(network: IPv4Network, gateway: IPv4Address | None) -> list[Range]:
    """Return all host addresses but the gateway, as one or two ranges."""
    first, last = network.network_address + 1, network.broadcast_address - 1
    if gateway is None:
        return [(first, last)]
    around = [(first, gateway - 1), (gateway + 1, last)]
    return [(start, end) for start, end in around if start <= end]


def _check_pools(network: IPv4Network, gateway: IPv4Address | None, pools: Sequence[Range]) -> None:
    previous: IPv4Address | None = None
    for start, end in pools:
        if start <= network.network_address or end >= network.broadcast_address:
            raise Conflict(f"The allocation pool {start}-{end} is outside the hosts of {network}")
        if start > end:
            raise Conflict(f"The allocation pool {start}-{end} ends before it starts")
        if gateway is not None and start <= gateway <= end:
            raise Conflict(f"The gateway {gateway} is inside the allocation pool {start}-{end}")
        if previous is not None and start <= previous:
            raise Conflict(f"The allocation pool {start}-{end} overlaps another")
        previous = end
