"""The address pool of a network, and the checks Ganeti makes on network parameters."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from gtools.simulator.errors import execution, prerequisite

_MAC_PREFIX = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){2}$", re.IGNORECASE)
_SMALLEST = 4


class AddressPool:
    """Which addresses of a network are taken; ``external`` ones are set aside, ``used`` belong to NICs."""

    def __init__(self, network: str, *, external: Iterable[str] = (), used: Iterable[str] = ()) -> None:
        self.network = ipaddress.IPv4Network(network)
        self.external = {ipaddress.IPv4Address(address) for address in external}
        self.used = {ipaddress.IPv4Address(address) for address in used if self.contains(address)}

    def reserve(self, addresses: Iterable[str]) -> None:
        """Take addresses for NICs that are not stored yet."""
        self.used |= {ipaddress.IPv4Address(address) for address in addresses}

    def contains(self, address: str) -> bool:
        """Whether an address belongs to the network."""
        return ipaddress.ip_address(address) in self.network

    def is_free(self, address: str) -> bool:
        """Whether a NIC may take an address."""
        if not self.contains(address):
            return False
        return ipaddress.IPv4Address(address) not in self.external | self.used

    def first_free(self) -> str | None:
        """Return the lowest address a NIC may take, None when there is none left."""
        taken = self.external | self.used
        return next((str(address) for address in self.network if address not in taken), None)

    @property
    def reserved_count(self) -> int:
        """How many addresses are taken."""
        return len(self.external | self.used)

    @property
    def free_count(self) -> int:
        """How many addresses are left."""
        return self.network.num_addresses - self.reserved_count

    def map(self) -> str:
        """Return one character per address: ``X`` taken, ``.`` free."""
        taken = self.external | self.used
        return "".join("X" if address in taken else "." for address in self.network)

    def external_text(self) -> str:
        """Return the addresses set aside, in order, as Ganeti lists them."""
        return ", ".join(str(address) for address in sorted(self.external))


def initial_reservations(name: str, network: str, gateway: str | None, extra: Iterable[str]) -> list[str]:
    """Return what a new network sets aside: first and last address, gateway and ``extra``; or fail."""
    net = ipaddress.IPv4Network(network)
    problem = f"Cannot create IP address pool for network '{name}': "
    if net.num_addresses < _SMALLEST:
        raise execution(
            f"{problem}A network with only {net.num_addresses} host(s) is too small,"
            " please specify at least a /30 network"
        )
    reserved = [net.network_address, net.broadcast_address]
    for address in [*([gateway] if gateway else []), *extra]:
        parsed = ipaddress.IPv4Address(address)
        if parsed not in net:
            raise execution(f"{problem}{network} does not contain {address}")
        if parsed not in reserved:
            reserved.append(parsed)
    return [str(address) for address in sorted(reserved)]


def check_mac_prefix(prefix: str | None) -> str | None:
    """Return a MAC prefix in Ganeti's spelling, or fail."""
    if prefix is None:
        return None
    if not _MAC_PREFIX.match(prefix):
        raise prerequisite(f"Invalid MAC address prefix '{prefix}'", "wrong_input")
    return prefix.lower()
