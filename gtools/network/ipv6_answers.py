"""Router advertisements (RFC 4861, RFC 8106) and stateless DHCPv6 (RFC 8415)."""

from __future__ import annotations

import ipaddress
import struct

from gtools.network.bindings import Binding
from gtools.network.node_config import NodeConfig
from gtools.network.packets import (
    ALL_NODES,
    ETHERTYPE_IP6,
    ICMP6,
    ROUTER_ADVERTISEMENT,
    ethernet,
    ip6,
    mac_bytes,
    udp6,
)

_OTHER_CONFIGURATION = 0x40
_ON_LINK, _AUTONOMOUS = 0x80, 0x40
_FOREVER = 0xFFFFFFFF
_ROUTER_SECONDS = 3
INFORMATION_REQUEST, REPLY = 11, 7
_CLIENT_ID, _SERVER_ID, _OPTION_DNS, _OPTION_DOMAINS = 1, 2, 23, 24


def advertisement(
    binding: Binding,
    config: NodeConfig,
    node_mac: str,
    source: ipaddress.IPv6Address,
    *,
    is_router: bool,
) -> bytes | None:
    """Return the frame that tells a guest of its IPv6 network, None if it has none.

    source: link-local address that the guest shall take as the router's.
    is_router: whether that address routes; otherwise the guest learns the prefix only.
    """
    if binding.subnet6 is None:
        return None
    flags = _OTHER_CONFIGURATION if config.dns6 or config.domain else 0
    seconds = min(9000, config.ra_seconds * _ROUTER_SECONDS) if is_router else 0
    body = struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, flags, seconds, 0, 0)
    if is_router and binding.is_routed:
        body += b"\x01\x01" + mac_bytes(node_mac)
    body += struct.pack(
        "!BBBBIII", 3, 4, binding.subnet6.prefixlen, _prefix_flags(binding), _FOREVER, _FOREVER, 0
    )
    body += binding.subnet6.network_address.packed
    if config.mtu:
        body += struct.pack("!BBHI", 5, 1, 0, config.mtu)
    body += _dns_options(config)
    packet = ip6(source, ALL_NODES, ICMP6, body, 2)
    # To all nodes, but only this one is at the other end of the device.
    return ethernet(binding.mac, node_mac, ETHERTYPE_IP6, packet)


def _prefix_flags(binding: Binding) -> int:
    # Routed guests reach even their neighbours through the node.
    flags = 0 if binding.is_routed else _ON_LINK
    if binding.subnet6 is not None and binding.subnet6.prefixlen == 64:
        flags |= _AUTONOMOUS
    return flags


def _dns_options(config: NodeConfig) -> bytes:
    options = b""
    lifetime = max(1800, config.ra_seconds * _ROUTER_SECONDS)
    servers = config.dns6[:8]
    if servers:
        options += struct.pack("!BBHI", 25, 1 + 2 * len(servers), 0, lifetime)
        options += b"".join(address.packed for address in servers)
    if config.domain:
        name = domain_bytes(config.domain)
        name += bytes(-len(name) % 8)
        options += struct.pack("!BBHI", 31, 1 + len(name) // 8, 0, lifetime) + name
    return options


def domain_bytes(domain: str) -> bytes:
    """Return a domain name as DNS writes it."""
    labels = [label for label in domain.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def information(
    message: bytes,
    binding: Binding,
    config: NodeConfig,
    node_mac: str,
    source: ipaddress.IPv6Address,
    client: ipaddress.IPv6Address,
) -> bytes | None:
    """Return the frame that answers an information request, None for all other messages."""
    if len(message) < 4 or message[0] != INFORMATION_REQUEST or not client.is_link_local:
        return None
    options = _options(message[4:])
    own_id = struct.pack("!HH", 3, 1) + mac_bytes(node_mac)
    if _SERVER_ID in options and options[_SERVER_ID] != own_id:
        return None
    answer = bytes([REPLY]) + message[1:4]
    if _CLIENT_ID in options:
        answer += _option(_CLIENT_ID, options[_CLIENT_ID])
    answer += _option(_SERVER_ID, own_id)
    if config.dns6:
        answer += _option(_OPTION_DNS, b"".join(address.packed for address in config.dns6[:8]))
    if config.domain:
        answer += _option(_OPTION_DOMAINS, domain_bytes(config.domain))
    packet = udp6((source, 547), (client, 546), answer)
    return ethernet(binding.mac, node_mac, ETHERTYPE_IP6, packet)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(data):
        code, length = struct.unpack("!HH", data[position : position + 4])
        end = position + 4 + length
        if end > len(data) or length > 128:
            break
        found[code] = data[position + 4 : end]
        position = end
    return found
