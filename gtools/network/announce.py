"""Telling the neighbours of an uplink where a routed guest is now, at once after a migration."""

from __future__ import annotations

import ipaddress
import logging
import socket
from pathlib import Path

from gtools.network import packets
from gtools.network.nic import Nic
from gtools.network.records import SYS_NET, Record
from gtools.network.routing import default_device

logger = logging.getLogger("snf-network")


def announce(nic: Nic, record: Record) -> None:
    """Send a gratuitous ARP and an unsolicited neighbour advertisement; failure is only logged."""
    tables = [entry.split()[1] for entry in record.routes]
    for address in (nic.ip, nic.ip6):
        if address is None:
            continue
        family = f"-{address.version}"
        uplink = next(filter(None, (default_device(table, family) for table in [*tables, "main"])), "")
        if uplink:
            _send(uplink, address)


def _send(device: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        mac = (Path(SYS_NET) / device / "address").read_text().strip()
        if len(mac) != 17:
            return
        if isinstance(address, ipaddress.IPv4Address):
            frame = packets.gratuitous_arp(mac, address)
        else:
            frame = packets.neighbour_advertisement(mac, address)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as handle:
            handle.bind((device, 0))
            handle.send(frame)
    except OSError as error:
        logger.warning("announcing %s on %s: %s", address, device, error)
