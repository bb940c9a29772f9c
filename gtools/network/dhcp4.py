"""DHCP for IPv4 (RFC 2131): the guest's one address, to nobody else."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping

from gtools.network.bindings import Binding
from gtools.network.node_config import NodeConfig
from gtools.network.packets import BROADCAST_MAC, ETHERTYPE_IP, ethernet, mac_bytes, udp4

MAGIC = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK, NAK, INFORM = 1, 2, 3, 5, 6, 8
_HEADER = 240
_LIMITED_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_UNSPECIFIED = ipaddress.IPv4Address(0)
_HOST_ONLY = ipaddress.IPv4Address(0xFFFFFFFF)
_SUBNET_MASK, _ROUTER, _DNS, _HOST_NAME, _DOMAIN, _MTU = 1, 3, 6, 12, 15, 26
_REQUESTED, _LEASE, _TYPE, _SERVER, _ROUTES = 50, 51, 53, 54, 121


def read_options(data: bytes) -> dict[int, bytes]:
    """Return the options behind the header; what is cut off is left out."""
    options: dict[int, bytes] = {}
    position = 0
    while position < len(data) and data[position] != 255:
        if data[position] == 0:
            position += 1
            continue
        if position + 2 > len(data):
            break
        end = position + 2 + data[position + 1]
        if end > len(data):
            break
        code = data[position]
        options[code] = options.get(code, b"") + data[position + 2 : end]
        position = end
    return options


def server_address(binding: Binding) -> ipaddress.IPv4Address:
    """Return the address that stands for the responder: the gateway, which guests can always reach.

    The responder has none of its own; it hears whatever the guest's device sends.
    """
    if binding.gateway is not None:
        return binding.gateway
    if binding.subnet is not None and binding.subnet.prefixlen < 31:
        return binding.subnet[1]
    return ipaddress.IPv4Address("169.254.169.254")


def answer(message: bytes, binding: Binding, config: NodeConfig, node_mac: str) -> bytes | None:
    """Return the frame that answers a guest's message, None if none is due.

    message: the UDP payload.
    node_mac: source of the frame.
    """
    if binding.ip is None or len(message) < _HEADER or message[:3] != b"\x01\x01\x06":
        return None
    if message[_HEADER - 4 : _HEADER] != MAGIC or message[24:28] != bytes(4):
        # Relayed messages are no guest's.
        return None
    if message[28:34] != mac_bytes(binding.mac):
        return None
    options = read_options(message[_HEADER:])
    kind = _kind_of_answer(message, options, binding)
    if kind is None:
        return None
    return _frame(message, kind, options.get(_TYPE) == bytes([INFORM]), binding, config, node_mac)


def _kind_of_answer(message: bytes, options: Mapping[int, bytes], binding: Binding) -> int | None:
    kind = options.get(_TYPE)
    if kind == bytes([DISCOVER]):
        return OFFER
    if kind == bytes([INFORM]):
        return ACK
    if kind != bytes([REQUEST]) or binding.ip is None:
        return None
    server = options.get(_SERVER)
    if server is not None and server != server_address(binding).packed:
        # The guest has chosen another server.
        return None
    wanted = options.get(_REQUESTED) or message[12:16]
    return ACK if wanted == binding.ip.packed else NAK


def _frame(
    message: bytes, kind: int, is_inform: bool, binding: Binding, config: NodeConfig, node_mac: str
) -> bytes:
    server = server_address(binding)
    assert binding.ip is not None
    refused = kind == NAK
    own = _UNSPECIFIED if refused or is_inform else binding.ip
    options = [(_TYPE, bytes([kind])), (_SERVER, server.packed)]
    if not refused:
        if not is_inform:
            options.append((_LEASE, struct.pack("!I", config.lease_seconds)))
        options += _network_options(binding, config)
    tail = b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"
    client = message[12:16] if kind == ACK else bytes(4)
    body = b"\x02\x01\x06\0" + message[4:8] + bytes(2) + message[10:12]
    body += client + own.packed + bytes(8) + message[28:44] + bytes(192) + MAGIC + tail
    # Broadcast in IP, but to the one guest on the wire: it works before the guest has an address.
    to = message[12:16]
    target = ipaddress.IPv4Address(to) if kind == ACK and to == binding.ip.packed else _LIMITED_BROADCAST
    packet = udp4((server, 67), (target, 68), body.ljust(300, b"\0"))
    return ethernet(BROADCAST_MAC if refused else binding.mac, node_mac, ETHERTYPE_IP, packet)


def _network_options(binding: Binding, config: NodeConfig) -> list[tuple[int, bytes]]:
    mask = binding.subnet.netmask if binding.subnet is not None else _HOST_ONLY
    options = [(_SUBNET_MASK, mask.packed)]
    if binding.gateway is not None:
        outside = binding.subnet is None or binding.gateway not in binding.subnet
        if outside:
            # First the way to the gateway, then the one through it (RFC 3442).
            options.append(
                (_ROUTES, b"\x20" + binding.gateway.packed + bytes(4) + b"\0" + binding.gateway.packed)
            )
        options.append((_ROUTER, binding.gateway.packed))
    if config.dns4:
        options.append((_DNS, b"".join(address.packed for address in config.dns4[:8])))
    if binding.hostname:
        options.append((_HOST_NAME, binding.hostname.encode()))
    if config.domain:
        options.append((_DOMAIN, config.domain.encode()))
    if config.mtu:
        options.append((_MTU, struct.pack("!H", config.mtu)))
    return options
