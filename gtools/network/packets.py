"""The few frame formats that guests' addresses need, written and read without trust in either end."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from gtools.network.nic import link_local

ETHERTYPE_IP, ETHERTYPE_ARP, ETHERTYPE_IP6 = 0x0800, 0x0806, 0x86DD
UDP, ICMP6 = 17, 58
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
ALL_NODES = ipaddress.IPv6Address("ff02::1")
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, NEIGHBOUR_ADVERTISEMENT = 133, 134, 136


def mac_bytes(mac: str) -> bytes:
    """Return the 6 bytes of a MAC address."""
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination: str, source: str, ethertype: int, payload: bytes) -> bytes:
    """Return a frame."""
    return mac_bytes(destination) + mac_bytes(source) + struct.pack("!H", ethertype) + payload


def udp4(
    source: tuple[ipaddress.IPv4Address, int], destination: tuple[ipaddress.IPv4Address, int], payload: bytes
) -> bytes:
    """Return an IPv4 packet; source and destination are (address, port)."""
    length = 8 + len(payload)
    pseudo = source[0].packed + destination[0].packed + struct.pack("!BBH", 0, UDP, length)
    head = struct.pack("!HHH", source[1], destination[1], length)
    total = checksum(pseudo + head + b"\0\0" + payload) or 0xFFFF
    datagram = head + struct.pack("!H", total) + payload
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, UDP)
    addresses = source[0].packed + destination[0].packed
    header = start + struct.pack("!H", checksum(start + b"\0\0" + addresses)) + addresses
    return header + datagram


def ip6(
    source: ipaddress.IPv6Address,
    destination: ipaddress.IPv6Address,
    protocol: int,
    payload: bytes,
    checksum_at: int,
) -> bytes:
    """Return an IPv6 packet whose payload's checksum (two bytes at ``checksum_at``) is filled in."""
    pseudo = source.packed + destination.packed + struct.pack("!IBBBB", len(payload), 0, 0, 0, protocol)
    total = checksum(pseudo + payload) or 0xFFFF
    body = payload[:checksum_at] + struct.pack("!H", total) + payload[checksum_at + 2 :]
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, 255)
    return header + source.packed + destination.packed + body


def udp6(
    source: tuple[ipaddress.IPv6Address, int], destination: tuple[ipaddress.IPv6Address, int], payload: bytes
) -> bytes:
    """Return an IPv6 packet; source and destination are (address, port)."""
    datagram = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return ip6(source[0], destination[0], UDP, datagram, 6)


def gratuitous_arp(mac: str, address: ipaddress.IPv4Address) -> bytes:
    """Return the frame by which ``mac`` claims an address."""
    own = mac_bytes(mac) + address.packed
    body = struct.pack("!HHBBH", 1, ETHERTYPE_IP, 6, 4, 1) + own + bytes(6) + address.packed
    return ethernet(BROADCAST_MAC, mac, ETHERTYPE_ARP, body)


def neighbour_advertisement(mac: str, address: ipaddress.IPv6Address) -> bytes:
    """Return the frame by which ``mac`` claims an IPv6 address, as a router that speaks for it."""
    body = struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, 0xA0000000) + address.packed
    body += b"\x02\x01" + mac_bytes(mac)
    packet = ip6(link_local(mac), ALL_NODES, ICMP6, body, 2)
    return ethernet("33:33:00:00:00:01", mac, ETHERTYPE_IP6, packet)


@dataclass(frozen=True)
class Received:
    """What a guest sent that concerns the responder.

    kind: ``dhcp4``, ``dhcp6`` or ``solicitation`` (of a router).
    """

    kind: str
    source_mac: str
    source: ipaddress.IPv4Address | ipaddress.IPv6Address
    payload: bytes


def parse(frame: bytes) -> Received | None:
    """Return what a frame asks the responder, None if nothing, or if it is malformed."""
    if len(frame) < 14:
        return None
    mac = ":".join(f"{byte:02x}" for byte in frame[6:12])
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == ETHERTYPE_IP:
        return _parse4(mac, frame[14:])
    if ethertype == ETHERTYPE_IP6:
        return _parse6(mac, frame[14:])
    return None


def _parse4(mac: str, packet: bytes) -> Received | None:
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    header = (packet[0] & 15) * 4
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if header < 20 or fragment or len(packet) < header + 8:
        return None
    ports = struct.unpack("!HH", packet[header : header + 4])
    if ports != (68, 67):
        return None
    return Received("dhcp4", mac, ipaddress.IPv4Address(packet[12:16]), packet[header + 8 :])


def _parse6(mac: str, packet: bytes) -> Received | None:
    if len(packet) < 48 or packet[0] >> 4 != 6:
        return None
    source = ipaddress.IPv6Address(packet[8:24])
    if packet[6] == ICMP6 and packet[40] == ROUTER_SOLICITATION and packet[7] == 255:
        return Received("solicitation", mac, source, packet[40:])
    if packet[6] == UDP and struct.unpack("!HH", packet[40:44]) == (546, 547):
        return Received("dhcp6", mac, source, packet[48:])
    return None
