"""The node's own settings: the shell-style file /etc/default/snf-network."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from gtools.network.errors import NetworkError
from gtools.network.nic import PROFILES, parse_mac

DEFAULT_FILE = "/etc/default/snf-network"
FILE_VARIABLE = "SNF_NETWORK_DEFAULTS"
_DOMAIN = re.compile(r"(?=.{0,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.|\Z))*", re.IGNORECASE)


@dataclass(frozen=True)
class NodeConfig:
    """How this node treats its guests.

    binding_dir: one file per device for the responder.
    default_profile: firewall of a NIC on a public network without a firewall tag.
    mac_mask: which bits of a MAC address tell MAC-filtered networks apart.
    ipv6_sources: eui64 (only the address that Synnefo shows) or subnet (any of the network's).
    routing_table_base: table number of link ``…link-<n>`` is this plus n, unless rt_tables names the link.
    nameservers, nameservers6: DNS servers that guests are told.
    domain: their DNS domain, empty for none.
    lease_seconds: for how long a guest may keep its address before it asks again.
    ra_seconds: how often a guest hears of its IPv6 network unasked.
    mtu: what guests are told, 0 for nothing.
    """

    binding_dir: str = "/run/snf-network/bindings"
    default_profile: str = "unprotected"
    mac_mask: str = "ff:ff:f0:00:00:00"
    ipv6_sources: str = "eui64"
    routing_table_base: int = 10000
    nameservers: str = ""
    nameservers6: str = ""
    domain: str = ""
    lease_seconds: int = 86400
    ra_seconds: int = 300
    mtu: int = 0

    @property
    def dns4(self) -> list[ipaddress.IPv4Address]:
        """The IPv4 DNS servers."""
        return [ipaddress.IPv4Address(word) for word in self.nameservers.split()]

    @property
    def dns6(self) -> list[ipaddress.IPv6Address]:
        """The IPv6 DNS servers."""
        return [ipaddress.IPv6Address(word) for word in self.nameservers6.split()]


def load(path: str | None = None) -> NodeConfig:
    """Read the file, if there is one; raise `NetworkError` naming the wrong line.

    A name that is no setting is an error too: a filter that is believed to be on must not be off by a typing
    mistake.
    """
    file = Path(path or os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    if not file.exists():
        return NodeConfig()
    values: dict[str, str | int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        name, value = _assignment(line, f"{file}:{number}")
        if not name:
            continue
        field = name.lower()
        if field not in NodeConfig.__dataclass_fields__:
            raise NetworkError(f"{file}:{number}: there is no setting {name}")
        values[field] = _number(value, name, f"{file}:{number}") if _is_number(field) else value
    config = NodeConfig(**values)  # type: ignore[arg-type]
    _check(config, str(file))
    return config


def _is_number(field: str) -> bool:
    return isinstance(getattr(NodeConfig, field), int)


def _number(value: str, name: str, where: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 2**31:
        raise NetworkError(f"{where}: {name} must be a number")
    return int(value)


def _check(config: NodeConfig, where: str) -> None:
    if config.default_profile not in PROFILES:
        raise NetworkError(f"{where}: DEFAULT_PROFILE must be one of {', '.join(PROFILES)}")
    if config.ipv6_sources not in ("eui64", "subnet"):
        raise NetworkError(f"{where}: IPV6_SOURCES must be eui64 or subnet")
    if not _DOMAIN.fullmatch(config.domain):
        raise NetworkError(f"{where}: DOMAIN is no domain name")
    if config.lease_seconds < 60 or not 4 <= config.ra_seconds <= 1800:
        raise NetworkError(f"{where}: LEASE_SECONDS is at least 60, RA_SECONDS 4 to 1800")
    if config.mtu and not 1280 <= config.mtu <= 65535:
        raise NetworkError(f"{where}: MTU must be 0 or 1280 to 65535")
    parse_mac(config.mac_mask, f"{where}: MAC_MASK")
    if "%" in config.nameservers6:
        raise NetworkError(f"{where}: NAMESERVERS6: an address with a scope means nothing to a guest")
    for name, parse in (("NAMESERVERS", "dns4"), ("NAMESERVERS6", "dns6")):
        try:
            getattr(config, parse)
        except ValueError as error:
            raise NetworkError(f"{where}: {name}: {error}") from error


def _assignment(line: str, where: str) -> tuple[str, str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise NetworkError(f"{where}: {error}") from error
    if words[:1] == ["export"]:
        words = words[1:]
    if not words:
        return "", ""
    name, equals, value = words[0].partition("=")
    if not equals or len(words) > 1:
        raise NetworkError(f"{where}: not NAME=value")
    return name, value
