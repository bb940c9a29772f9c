"""A DHCP server that gives every guest the address Ganeti has for its NIC.

Runs inside the namespaces of a cluster, without the project: ``python dhcp.py INTERFACE GATEWAY/LEN``. The
bindings are files written by ``kvm-vif-bridge``: one line ``MAC IP SUBNET GATEWAY NAME`` per device.
"""

import ipaddress
import socket
import struct
import sys
from pathlib import Path

BINDINGS_DIRECTORY = "/run/lab-dhcp"

_MAGIC = b"\x63\x82\x53\x63"
_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_SO_BINDTODEVICE = 25
_LEASE_SECONDS = 86400


def binding_of(mac: str) -> list[str] | None:
    """The fields of the newest binding of a MAC address."""
    paths = sorted(Path(BINDINGS_DIRECTORY).glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        fields = path.read_text().split()
        if len(fields) == 5 and fields[0].lower() == mac.lower():
            return fields
    return None


def message_type(packet: bytes) -> int:
    """Value of option 53, 0 if there is none."""
    position = 240
    while position + 2 < len(packet) and packet[position] != 255:
        if packet[position] == 0:
            position += 1
            continue
        if packet[position] == 53:
            return packet[position + 2]
        position += 2 + packet[position + 1]
    return 0


def reply(packet: bytes, server: ipaddress.IPv4Interface) -> bytes | None:
    """The answer to one request, None when the guest is unknown or the message needs no answer."""
    if len(packet) < 241 or packet[0] != 1 or packet[236:240] != _MAGIC:
        return None
    answer = {_DISCOVER: _OFFER, _REQUEST: _ACK}.get(message_type(packet))
    binding = binding_of(":".join(f"{byte:02x}" for byte in packet[28:34]))
    if answer is None or binding is None:
        return None
    address = ipaddress.IPv4Address(binding[1])
    subnet = server.network if binding[2] == "-" else ipaddress.IPv4Network(binding[2])
    gateway = server.ip if binding[3] == "-" else ipaddress.IPv4Address(binding[3])
    name = binding[4].encode()
    options = [
        (53, bytes([answer])),
        (54, server.ip.packed),
        (51, struct.pack("!I", _LEASE_SECONDS)),
        (1, subnet.netmask.packed),
        (3, gateway.packed),
        (12, name),
    ]
    head = struct.pack("!BBBB", 2, 1, 6, 0) + packet[4:8] + struct.pack("!HH", 0, 0x8000)
    addresses = bytes(4) + address.packed + server.ip.packed + bytes(4)
    tail = b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"
    return head + addresses + packet[28:44] + bytes(192) + _MAGIC + tail


def main() -> None:
    """Serve for ever."""
    interface, server = sys.argv[1], ipaddress.IPv4Interface(sys.argv[2])
    handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    handle.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode())
    handle.bind(("0.0.0.0", 67))
    while True:
        packet = handle.recv(2048)
        answer = reply(packet, server)
        if answer is not None:
            handle.sendto(answer, ("255.255.255.255", 68))


if __name__ == "__main__":
    main()
