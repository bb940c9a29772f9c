"""``snf-network-dhcpd``: tells guests their addresses (decision 8).

It listens to every guest's device itself, before the bridge: what a guest sends can only come from that
guest, and is only ever answered with that guest's own binding. The node needs no address on the bridge.
"""

from __future__ import annotations

import argparse
import errno
import ipaddress
import logging
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gtools.network import bindings, dhcp4, ipv6_answers, node_config, packets
from gtools.network.bindings import Binding
from gtools.network.errors import NetworkError
from gtools.network.nic import link_local
from gtools.network.records import SYS_NET
from synnefo.service_status import notify_systemd

logger = logging.getLogger("snf-network-dhcpd")

LOOK_SECONDS = 0.5
RESCAN_SECONDS = 30.0
SETTLED_NS = 1_000_000_000
#: Messages that one guest may have answered at once, and how many more each second.
BURST, PER_SECOND = 20.0, 5.0
FRAME_BYTES = 2048
_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
_PACKET_OUTGOING = 4


def _filter() -> bytes:
    """Return the kernel's filter: what guests send to ports 67 and 547, and their router solicitations."""
    load_half, load_byte, load_word = 0x28, 0x30, 0x20
    load_half_x, load_length_x = 0x48, 0xB1
    equal, give = 0x15, 0x06
    program = [
        (load_word, 0, 0, 0xFFFFF000 + 4),  # kind of packet
        (equal, 15, 0, _PACKET_OUTGOING),
        (load_half, 0, 0, 12),
        (equal, 0, 5, packets.ETHERTYPE_IP),
        (load_byte, 0, 0, 23),
        (equal, 0, 11, packets.UDP),
        (load_length_x, 0, 0, 14),
        (load_half_x, 0, 0, 16),
        (equal, 7, 8, 67),
        (equal, 0, 7, packets.ETHERTYPE_IP6),
        (load_byte, 0, 0, 20),
        (equal, 0, 2, packets.UDP),
        (load_half, 0, 0, 56),
        (equal, 2, 3, 547),
        (load_byte, 0, 0, 54),
        (equal, 0, 1, packets.ROUTER_SOLICITATION),
        (give, 0, 0, FRAME_BYTES),
        (give, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in program)


@dataclass
class Guest:
    """A guest that is listened to.

    credit: how many messages may be answered now.
    """

    binding: Binding
    index: int
    handle: socket.socket
    credit: float = BURST
    credited: float = 0.0
    next_advertisement: float = 0.0

    def may_answer(self, now: float) -> bool:
        """Take one message's credit, if there is any."""
        self.credit = min(BURST, self.credit + (now - self.credited) * PER_SECOND)
        self.credited = now
        if self.credit < 1:
            return False
        self.credit -= 1
        return True


class Responder:
    """Answers the guests that have a binding file.

    config: the node's settings.
    sys_net: where the kernel describes devices.
    """

    def __init__(self, config: node_config.NodeConfig, sys_net: str = SYS_NET) -> None:
        self._config = config
        self._directory = Path(config.binding_dir)
        self._sys_net = Path(sys_net)
        self._selector = selectors.DefaultSelector()
        self._guests: dict[str, Guest] = {}
        self._broken: dict[str, str] = {}
        self._seen_mtime = -1
        self._next_look = 0.0
        self._next_scan = 0.0
        self._stopped = False

    @property
    def devices(self) -> set[str]:
        """The devices that are listened to."""
        return set(self._guests)

    def run(self) -> None:
        """Work until `stop`."""
        notify_systemd("READY=1")
        while not self._stopped:
            self.run_once(LOOK_SECONDS)
        notify_systemd("STOPPING=1")
        for device in list(self._guests):
            self._forget(device)
        self._selector.close()

    def stop(self) -> None:
        """Have `run` return soon; callable from a signal handler."""
        self._stopped = True

    def run_once(self, timeout: float) -> None:
        """Answer what arrives within ``timeout`` seconds, and look for new and vanished guests."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look(now)
        for key, _ in self._selector.select(timeout):
            guest = self._guests.get(key.data)
            if guest is not None:
                self._hear(guest)
        self._advertise_due(time.monotonic())

    # Who is there

    def _look(self, now: float) -> None:
        try:
            mtime = self._directory.stat().st_mtime_ns
        except FileNotFoundError:
            mtime = 0
        if mtime != self._seen_mtime or now >= self._next_scan:
            # A directory that changed just now may change again without a new time.
            settled = time.time_ns() - mtime > SETTLED_NS
            self._seen_mtime, self._next_scan = mtime if settled else -1, now + RESCAN_SECONDS
            self.rescan()
            notify_systemd(f"STATUS={len(self._guests)} guests")

    def rescan(self) -> None:
        """Bring what is listened to in line with the binding files and the devices that exist."""
        present = {}
        for path in sorted(self._directory.glob("[!.]*")):
            try:
                present[path.name] = (bindings.read(path), self._index(path.name))
                self._broken.pop(path.name, None)
            except (NetworkError, OSError) as error:
                if self._broken.get(path.name) != str(error):
                    self._broken[path.name] = str(error)
                    logger.warning("%s: %s", path.name, error)
        for device, guest in list(self._guests.items()):
            if present.get(device) != (guest.binding, guest.index):
                self._forget(device)
        for device, (binding, index) in present.items():
            if device not in self._guests:
                self._listen(device, binding, index)

    def _index(self, device: str) -> int:
        return int((self._sys_net / device / "ifindex").read_text())

    def _listen(self, device: str, binding: Binding, index: int) -> None:
        try:
            # Protocol 0: nothing arrives before the filter is in place.
            handle = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except OSError as error:
            logger.error("%s: %s", device, error)
            return
        program = _filter()
        buffer = _Buffer(program)
        try:
            handle.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, buffer.description)
            handle.bind((device, _ETH_P_ALL))
        except OSError as error:
            handle.close()
            logger.warning("%s: %s", device, error)
            return
        self._guests[device] = Guest(binding, index, handle, credited=time.monotonic())
        self._selector.register(handle, selectors.EVENT_READ, device)
        logger.info("%s: %s %s", device, binding.hostname or binding.mac, binding.ip or "")

    def _forget(self, device: str) -> None:
        guest = self._guests.pop(device)
        self._selector.unregister(guest.handle)
        guest.handle.close()

    # What is said

    def _hear(self, guest: Guest) -> None:
        for _ in range(int(BURST)):
            try:
                frame = guest.handle.recv(FRAME_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._lost(guest, error)
                return
            if not guest.may_answer(time.monotonic()):
                continue
            received = packets.parse(frame)
            if received is not None and received.source_mac == guest.binding.mac:
                self._answer_safely(guest, received)

    def _answer_safely(self, guest: Guest, received: packets.Received) -> None:
        try:
            self._answer(guest, received)
        except Exception:
            # One guest's message must not silence the others.
            logger.exception("%s: %s", guest.binding.device, received.kind)

    def _answer(self, guest: Guest, received: packets.Received) -> None:
        binding, node_mac = guest.binding, self._mac(guest.binding.device)
        frame: bytes | None = None
        if received.kind == "dhcp4":
            frame = dhcp4.answer(received.payload, binding, self._config, node_mac)
        elif received.kind == "dhcp6" and isinstance(received.source, ipaddress.IPv6Address):
            source, _ = self._router(binding, node_mac)
            frame = ipv6_answers.information(
                received.payload, binding, self._config, node_mac, source, received.source
            )
        elif received.kind == "solicitation":
            guest.next_advertisement = 0.0
        if frame is not None:
            self._send(guest, frame)

    def _advertise_due(self, now: float) -> None:
        for guest in list(self._guests.values()):
            if now < guest.next_advertisement:
                continue
            guest.next_advertisement = now + self._config.ra_seconds
            node_mac = self._mac(guest.binding.device)
            source, is_router = self._router(guest.binding, node_mac)
            frame = ipv6_answers.advertisement(
                guest.binding, self._config, node_mac, source, is_router=is_router
            )
            if frame is not None:
                self._send(guest, frame)

    def _router(self, binding: Binding, node_mac: str) -> tuple[ipaddress.IPv6Address, bool]:
        """Return the link-local address to speak from, and whether it routes.

        On a bridge the router is another machine: only if its link-local address is known can we speak of it.
        """
        if binding.is_routed:
            return link_local(node_mac), True
        if binding.gateway6 is not None:
            if binding.gateway6.is_link_local:
                return binding.gateway6, True
            own = addresses_of(binding.indev)
            if binding.gateway6 in own:
                return next((address for address in own if address.is_link_local), link_local(node_mac)), True
        return link_local(node_mac), False

    def _mac(self, device: str) -> str:
        try:
            return (self._sys_net / device / "address").read_text().strip()
        except OSError:
            return "02:00:00:00:00:01"

    def _send(self, guest: Guest, frame: bytes) -> None:
        try:
            guest.handle.send(frame)
        except OSError as error:
            self._lost(guest, error)

    def _lost(self, guest: Guest, error: OSError) -> None:
        """A device that is down comes back; one that is gone is found out at the next look."""
        if error.errno in (errno.EAGAIN, errno.ENOBUFS):
            return
        if error.errno != errno.ENETDOWN:
            logger.info("%s: %s", guest.binding.device, error)
            if guest.binding.device in self._guests:
                self._forget(guest.binding.device)
        self._seen_mtime = -1


def addresses_of(device: str, table: str = "/proc/net/if_inet6") -> list[ipaddress.IPv6Address]:
    """Return the IPv6 addresses that this node has on a device."""
    try:
        lines = Path(table).read_text().splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [ipaddress.IPv6Address(int(row[0], 16)) for row in rows if len(row) == 6 and row[5] == device]


class _Buffer:
    """A filter program in memory with the structure that points to it."""

    def __init__(self, program: bytes) -> None:
        import ctypes

        self._memory = ctypes.create_string_buffer(program, len(program))
        self.description = struct.pack("HL", len(program) // 8, ctypes.addressof(self._memory))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the responder until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="snf-network-dhcpd",
        description="Tells guests their addresses: DHCP, router advertisements, DHCPv6.",
    )
    parser.add_argument("--defaults", help=f"settings file (default: {node_config.DEFAULT_FILE})")
    parser.add_argument("-d", "--debug", action="store_true", help="log more")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    try:
        responder = Responder(node_config.load(options.defaults))
    except (NetworkError, OSError) as error:
        logger.error("%s", error)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: responder.stop())
    responder.run()
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
