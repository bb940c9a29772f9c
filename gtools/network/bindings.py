"""Binding files, as the responder reads them: one per device, named after it (ganeti-backend contract 8)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gtools.network.errors import NetworkError
from gtools.network.nic import parse_mac

MAX_BYTES = 16384
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63}){0,8}")


@dataclass(frozen=True)
class Binding:
    """What one guest may be told, and on which device.

    indev: the bridge the device is a port of, or the device itself.
    ip6: the guest's own address in ``subnet6``.
    """

    device: str
    indev: str
    mac: str
    hostname: str = ""
    ip: ipaddress.IPv4Address | None = None
    subnet: ipaddress.IPv4Network | None = None
    gateway: ipaddress.IPv4Address | None = None
    subnet6: ipaddress.IPv6Network | None = None
    gateway6: ipaddress.IPv6Address | None = None
    ip6: ipaddress.IPv6Address | None = None

    @property
    def is_routed(self) -> bool:
        """Whether this node is the guest's router."""
        return self.indev == self.device


def read(path: Path) -> Binding:
    """Read a file of ``NAME=value`` lines; raise `NetworkError` or OSError."""
    with path.open("rb") as handle:
        text = handle.read(MAX_BYTES).decode("utf-8", "replace")
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip()
    try:
        return _binding(path.name, values)
    except ValueError as error:
        raise NetworkError(f"{path}: {error}") from error


def _binding(device: str, values: Mapping[str, str]) -> Binding:
    def get(name: str) -> str:
        return values.get(name, "")

    if any("%" in get(name) for name in ("SUBNET6", "GATEWAY6", "EUI64")):
        raise ValueError("an address with a scope")
    hostname = get("HOSTNAME")
    subnet6 = ipaddress.IPv6Network(get("SUBNET6")) if get("SUBNET6") else None
    return Binding(
        device=device,
        indev=get("INDEV") or device,
        mac=parse_mac(get("MAC")),
        hostname=hostname if _HOST_NAME.fullmatch(hostname) else "",
        ip=ipaddress.IPv4Address(get("IP")) if get("IP") else None,
        subnet=ipaddress.IPv4Network(get("SUBNET")) if get("SUBNET") else None,
        gateway=ipaddress.IPv4Address(get("GATEWAY")) if get("GATEWAY") else None,
        subnet6=subnet6,
        gateway6=ipaddress.IPv6Address(get("GATEWAY6")) if get("GATEWAY6") else None,
        ip6=ipaddress.IPv6Address(get("EUI64")) if get("EUI64") else None,
    )
