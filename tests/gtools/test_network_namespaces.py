"""Hooks, filters and the DHCP responder on a node's real kernel, with guests that are network namespaces.

That a frame is dropped is shown by one that is sent after it, on the same way, and arrives.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import secrets
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gtools.network import packets
from gtools.network.dhcp4 import MAGIC, read_options
from gtools.network.install import install
from gtools.network.nic import link_local
from tests.conftest import started
from tests.lab.instance import LabError, Unavailable, wait_until
from tests.lab.namespaces import Namespaces
from tests.lab.network_guest import NetworkGuest, ask, receive

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = ipaddress.IPv4Address("10.0.3.1")
PUBLIC = {
    "LINK": "br0",
    "BRIDGE": "br0",
    "NETWORK_NAME": "snf-net-1",
    "NETWORK_TAGS": "nfdhcpd public",
    "NETWORK_SUBNET": "10.0.3.0/24",
    "NETWORK_GATEWAY": str(GATEWAY),
    "NETWORK_SUBNET6": "2001:db8:3::/64",
    "NETWORK_GATEWAY6": "fe80::1",
    "NETWORK_MAC_PREFIX": "aa:00:0",
}
SETTINGS = 'NAMESERVERS="10.0.3.53"\nNAMESERVERS6="2001:db8::53"\nDOMAIN=vm.test\nMTU=1400\n'


class Node(Namespaces):
    """A Ganeti node without Ganeti."""

    component = "hosts"

    def __init__(self, *, hostname: str) -> None:
        super().__init__(hostname=hostname)
        if not Path("/usr/sbin/nft").exists():
            raise Unavailable("nftables is not installed")

    def _start(self) -> None:
        super()._start()
        self.run(["sh", "-ec", "mount -t tmpfs tmpfs /run && ip address add 10.0.3.1/24 dev br0"])
        self.etc = self.directory / "etc-ganeti"
        defaults = self.directory / "snf-network"
        defaults.write_text(SETTINGS)
        install(str(self.etc), sys.executable, str(ROOT), str(defaults))
        self.responder = self.spawn(
            [sys.executable, "-m", "gtools.network.responder", "--defaults", defaults],
            log="responder.log",
            environment={"PYTHONPATH": str(ROOT)},
        )

    def ifup(self, guest: NetworkGuest, **environment: str) -> None:
        """What Ganeti does when the guest's device has been made."""
        self.run([self.etc / "kvm-vif-bridge"], environment=self.variables(guest) | environment)

    def variables(self, guest: NetworkGuest) -> dict[str, str]:
        """The part of the environment that tells who the guest is."""
        return {
            "INSTANCE": f"snf-{guest.device[3:]}",
            "INTERFACE": guest.device,
            "INTERFACE_NAME": f"snf-nic-{guest.device[3:]}",
            "INTERFACE_UUID": f"00000000-0000-0000-0000-{guest.device[3:]:0>12}",
            "MAC": guest.mac,
            "MODE": "bridged",
            "TAGS": "",
        }

    def hook(self, guest: NetworkGuest, operation: str, *, tags: str = "", **environment: str) -> None:
        """What Ganeti does after an operation."""
        variables = self.variables(guest) | environment
        nic = {f"GANETI_INSTANCE_NIC0_{name}": value for name, value in variables.items()}
        nic |= {
            "GANETI_INSTANCE_NIC0_NAME": variables["INTERFACE_NAME"],
            "GANETI_INSTANCE_NIC0_UUID": variables["INTERFACE_UUID"],
            "GANETI_INSTANCE_NAME": variables["INSTANCE"],
            "GANETI_INSTANCE_NIC_COUNT": "1",
            "GANETI_INSTANCE_TAGS": tags,
        }
        script = self.etc / "hooks" / f"{operation}-post.d" / "snf-network"
        self.run([script], environment=nic)

    def ruleset(self) -> str:
        return self.run(["nft", "list", "ruleset"]).stdout


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = started(lambda: Node(hostname=f"node-{secrets.token_hex(3)}.gnt.test"))
    yield node
    node.stop()


MakeGuest = Callable[..., NetworkGuest]
_serial = iter(range(1, 1000))


@pytest.fixture
def plug(node: Node) -> Iterator[MakeGuest]:
    """Make a guest, and bring its device up unless ``ifup=False``."""
    guests = []

    def make(*, ifup: bool = True, mac: str = "", **environment: str) -> NetworkGuest:
        number = next(_serial)
        guest = NetworkGuest(node, f"tap{number}", mac or f"aa:00:0b:00:00:{number:02x}")
        guests.append(guest)
        if ifup:
            node.ifup(guest, **environment)
            # Both ends must have carrier before frames pass.
            wait_until(guest.has_carrier, timeout=120, what="carrier")
        return guest

    yield make
    for guest in guests:
        guest.close()


def public(address: int, **more: str) -> dict[str, str]:
    return PUBLIC | {"IP": f"10.0.3.{address}"} | more


def address6(mac: str) -> ipaddress.IPv6Address:
    """The address that a guest of the public network makes."""
    return ipaddress.IPv6Network(PUBLIC["NETWORK_SUBNET6"])[int(link_local(mac)) & (2**64 - 1)]


def dhcp_message(kind: int, mac: str, *options: tuple[int, bytes]) -> bytes:
    """A guest's broadcast, with a transaction number of its own."""
    body = (
        struct.pack("!BBBBIHH", 1, 1, 6, 0, next(_serial), 0, 0x8000)
        + bytes(16)
        + packets.mac_bytes(mac).ljust(16, b"\0")
    )
    body += bytes(192) + MAGIC + bytes([53, 1, kind])
    body += b"".join(bytes([code, len(value)]) + value for code, value in options) + b"\xff"
    packet = packets.udp4(
        (ipaddress.IPv4Address(0), 68), (ipaddress.IPv4Address("255.255.255.255"), 67), body
    )
    return packets.ethernet(packets.BROADCAST_MAC, mac, packets.ETHERTYPE_IP, packet)


def is_dhcp_answer(frame: bytes) -> bool:
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[34:38] == b"\x00\x43\x00\x44"


def datagram(source: str, text: bytes, *, mac: str, to: str = "10.0.3.255", target: str = "") -> bytes:
    """A frame with a UDP packet; by default a broadcast."""
    ends = (ipaddress.IPv4Address(source), 9999), (ipaddress.IPv4Address(to), 9999)
    return packets.ethernet(
        target or packets.BROADCAST_MAC, mac, packets.ETHERTYPE_IP, packets.udp4(*ends, text)
    )


def arp(mac: str, address: str) -> bytes:
    return packets.gratuitous_arp(mac, ipaddress.IPv4Address(address))


def passes(sender: NetworkGuest, receiver: NetworkGuest, frame: bytes, proof: bytes) -> bool:
    """Whether a frame arrives; ``proof`` is one that does."""
    with receiver.wire() as incoming, sender.wire() as outgoing:
        outgoing.send(frame)
        for _ in range(10):
            outgoing.send(proof)
            arrived = receive(incoming, lambda seen: seen in (frame, proof), 3.0)
            if arrived is not None:
                return arrived == frame
    raise AssertionError("not even the frame that is allowed has arrived")


def arrives(sender: NetworkGuest, receiver: NetworkGuest, frame: bytes) -> bool:
    """Whether a frame arrives when it is sent again and again, as real ones are; the first may be lost."""
    with receiver.wire() as incoming, sender.wire() as outgoing:
        for _ in range(10):
            outgoing.send(frame)
            if receive(incoming, lambda seen: seen == frame, 3.0) is not None:
                return True
    return False


# Addresses


def test_a_guest_gets_its_own_address_and_nobody_else_does(node: Node, plug: MakeGuest) -> None:
    guest, neighbour = plug(**public(7)), plug(**public(8))
    with guest.wire() as wire, neighbour.wire() as other:
        answer = _ask(wire, dhcp_message(1, guest.mac, (55, b"\x01\x03")))
        options = read_options(answer[282:])
        assert answer[58:62] == ipaddress.IPv4Address("10.0.3.7").packed
        assert options[53] == b"\x02" and options[3] == GATEWAY.packed
        assert options[1] == b"\xff\xff\xff\x00" and options[6] == bytes([10, 0, 3, 53])
        assert options[12] == f"snf-{guest.device[3:]}".encode() and options[15] == b"vm.test"
        server = options[54]
        granted = _ask(wire, dhcp_message(3, guest.mac, (50, bytes([10, 0, 3, 7])), (54, server)))
        assert read_options(granted[282:])[53] == b"\x05"
        # Another's address is refused; another's MAC address gets no answer, not even a refusal.
        refused = _ask(wire, dhcp_message(3, guest.mac, (50, bytes([10, 0, 3, 8]))))
        assert read_options(refused[282:])[53] == b"\x06"
        stolen, own = dhcp_message(1, neighbour.mac), dhcp_message(1, guest.mac)
        wire.send(stolen)
        again = ask(
            wire, own, lambda frame: is_dhcp_answer(frame) and frame[46:50] in (stolen[46:50], own[46:50])
        )
        assert again[46:50] == own[46:50] and again[70:76] == packets.mac_bytes(guest.mac)
        # Requests never reach the bridge, so no other server could answer.
        proof = datagram("10.0.3.7", b"proof", mac=guest.mac)
        for _ in range(10):
            wire.send(proof)
            seen = receive(other, lambda frame: frame == proof or frame[36:38] == b"\x00\x43", 3.0)
            if seen is not None:
                break
        assert seen == proof


def _ask(wire: socket.socket, question: bytes) -> bytes:
    """Ask until the responder has noticed the guest; late answers to an earlier question do not count."""
    return ask(wire, question, lambda frame: is_dhcp_answer(frame) and frame[46:50] == question[46:50])


def test_a_guest_makes_its_ipv6_address_from_the_advertisement(node: Node, plug: MakeGuest) -> None:
    guest = plug(**public(9))

    def has_address() -> bool:
        return str(address6(guest.mac)) in guest.ip("-6", "address", "show", "eth0")

    wait_until(has_address, timeout=60, what="IPv6 address")
    assert "default via fe80::1" in guest.ip("-6", "route", "show")
    request = b"\x0b\x01\x02\x03" + struct.pack("!HH", 1, 10) + struct.pack("!HH", 3, 1) + bytes(6)
    ends = (link_local(guest.mac), 546), (ipaddress.IPv6Address("ff02::1:2"), 547)
    frame = packets.ethernet(
        "33:33:00:01:00:02", guest.mac, packets.ETHERTYPE_IP6, packets.udp6(*ends, request)
    )
    with guest.wire() as wire:
        answer = ask(wire, frame, lambda seen: seen[12:14] == b"\x86\xdd" and seen[54:56] == b"\x02\x23")
    assert answer[62:66] == b"\x07\x01\x02\x03"
    assert ipaddress.IPv6Address("2001:db8::53").packed in answer and b"\x02vm\x04test\0" in answer


# What guests may send


@pytest.fixture
def pair(node: Node, plug: MakeGuest) -> tuple[NetworkGuest, NetworkGuest]:
    """Two guests in the public network."""
    return plug(**public(21)), plug(**public(22))


def test_forged_frames_are_dropped(pair: tuple[NetworkGuest, NetworkGuest]) -> None:
    guest, other = pair
    proof = datagram("10.0.3.21", b"proof", mac=guest.mac)
    advertisement = packets.ip6(
        link_local(guest.mac), packets.ALL_NODES, packets.ICMP6, bytes([134, *bytes(15)]), 2
    )
    router = packets.neighbour_advertisement(guest.mac, ipaddress.IPv6Address("fe80::1"))
    ends = (GATEWAY, 67), (ipaddress.IPv4Address("255.255.255.255"), 68)
    offer = packets.udp4(*ends, b"\x02")
    forged = {
        "MAC address": datagram("10.0.3.21", b"x", mac="aa:00:0b:00:00:ee"),
        "IPv4 address": datagram("10.0.3.22", b"x", mac=guest.mac),
        "ARP address": arp(guest.mac, "10.0.3.1"),
        "ARP hardware address": packets.mac_bytes(packets.BROADCAST_MAC)
        + packets.mac_bytes(guest.mac)
        + arp("aa:00:0b:00:00:ee", "10.0.3.21")[12:],
        "VLAN": proof[:12] + b"\x81\x00\x00\x05" + proof[12:],
        "unknown protocol": proof[:12] + b"\x88\xcc" + bytes(46),
        "router": packets.ethernet("33:33:00:00:00:01", guest.mac, packets.ETHERTYPE_IP6, advertisement),
        "router's address": router,
        "router's packets": packets.ethernet(
            "33:33:00:00:00:01",
            guest.mac,
            packets.ETHERTYPE_IP6,
            packets.udp6((ipaddress.IPv6Address("fe80::1"), 9), (packets.ALL_NODES, 9), b"x"),
        ),
        "DHCP server": packets.ethernet(packets.BROADCAST_MAC, guest.mac, packets.ETHERTYPE_IP, offer),
        "IPv6 address": packets.ethernet(
            "33:33:00:00:00:01",
            guest.mac,
            packets.ETHERTYPE_IP6,
            packets.udp6((ipaddress.IPv6Address("2001:db8:3::99"), 9), (packets.ALL_NODES, 9), b"x"),
        ),
    }
    assert [what for what, frame in forged.items() if passes(guest, other, frame, proof)] == []


def test_own_frames_pass(pair: tuple[NetworkGuest, NetworkGuest]) -> None:
    guest, other = pair
    frames = [
        datagram("10.0.3.21", b"own", mac=guest.mac),
        arp(guest.mac, "10.0.3.21"),
        packets.neighbour_advertisement(guest.mac, address6(guest.mac)),
    ]
    assert [arrives(guest, other, frame) for frame in frames] == [True] * len(frames)


# Firewall profiles


@pytest.fixture
def fortress(node: Node, plug: MakeGuest) -> NetworkGuest:
    """A guest with the address 10.0.3.31, still unprotected."""
    guest = plug(**public(31))
    guest.ip("address", "add", "10.0.3.31/24", "dev", "eth0")
    return guest


def set_profile(node: Node, guest: NetworkGuest, word: str, **environment: str) -> None:
    """What happens after the API changed the tags: the no-op modify's hook."""
    tag = f"synnefo:network:snf-nic-{guest.device[3:]}:{word}"
    node.hook(
        guest, "instance-modify", tags=f"cyclades:user:x {tag}" if word else "", **(environment or public(31))
    )


def tcp_opens(node: Node, guest: NetworkGuest, port: int, *, seconds: int = 30) -> bool:
    """Whether a connection from the node to the guest's port opens; what is dropped never does."""
    with guest.open_socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("10.0.3.31", port))
        server.listen()
        probe = f"import socket; socket.create_connection(('10.0.3.31', {port}), {seconds})"
        return node.run([sys.executable, "-I", "-S", "-c", probe], check=False).returncode == 0


def pings(node: Node) -> bool:
    return node.run(["busybox", "ping", "-c", "1", "-W", "10", "10.0.3.31"], check=False).returncode == 0


def test_profiles_block_what_they_say_and_change_with_the_tags(node: Node, fortress: NetworkGuest) -> None:
    assert tcp_opens(node, fortress, 80)
    set_profile(node, fortress, "protected")
    assert pings(node)
    assert not tcp_opens(node, fortress, 22, seconds=2)
    set_profile(node, fortress, "limited")
    assert tcp_opens(node, fortress, 22) and tcp_opens(node, fortress, 3389)
    assert not tcp_opens(node, fortress, 80, seconds=2)
    set_profile(node, fortress, "")
    assert tcp_opens(node, fortress, 80)


def test_a_protected_guest_may_open_connections(node: Node, fortress: NetworkGuest) -> None:
    set_profile(node, fortress, "protected")
    script = (
        "import socket\ns = socket.create_server(('10.0.3.1', 8080))\nprint('up', flush=True)\n"
        "c, _ = s.accept()\nc.sendall(c.recv(5))\n"
    )
    server = node.spawn([sys.executable, "-I", "-S", "-c", script], log="echo.log")
    node.wait_for(lambda: "up" in node.log_tail("echo.log"), child=server, log="echo.log")
    with fortress.open_socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(("10.0.3.1", 8080))
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
    server.wait()


# Private networks


def test_mac_filtered_networks_do_not_see_each_other(node: Node, plug: MakeGuest) -> None:
    node.run(["sh", "-c", "ip link add prv0 type bridge forward_delay 0 2>/dev/null; ip link set prv0 up"])
    shared = {"LINK": "prv0", "BRIDGE": "prv0", "NETWORK_TAGS": "private private-filtered"}
    first = plug(mac="aa:10:0b:00:00:01", NETWORK_MAC_PREFIX="aa:10:0b", **shared)
    # The same network on another cluster: only the last digit of the prefix differs.
    second = plug(mac="aa:10:0c:00:00:02", NETWORK_MAC_PREFIX="aa:10:0c", **shared)
    stranger = plug(mac="aa:10:1b:00:00:03", NETWORK_MAC_PREFIX="aa:10:1b", **shared)
    hello = datagram("192.168.0.1", b"hello", mac=first.mac)
    intrusion = datagram("192.168.0.3", b"stranger", mac=stranger.mac)
    disguised = datagram("192.168.0.3", b"disguise", mac="aa:10:0b:00:00:09")
    with second.wire() as incoming:
        for guest, frame in ((stranger, intrusion), (stranger, disguised), (first, hello)):
            with guest.wire() as outgoing:
                outgoing.send(frame)
        assert receive(incoming, lambda frame: frame in (hello, intrusion, disguised)) == hello


# Routed networks


ROUTED = {
    "MODE": "routed",
    "LINK": "snf-link-12",
    "IP": "203.0.113.7",
    "NETWORK_TAGS": "ip-less-routed public nfdhcpd",
    "NETWORK_SUBNET": "203.0.113.0/24",
    "NETWORK_GATEWAY": "203.0.113.1",
    "NETWORK_SUBNET6": "2001:db8:9::/64",
}


def test_neighbours_on_the_uplink_find_a_routed_guest(node: Node, plug: MakeGuest) -> None:
    neighbour = plug(**public(46))
    uplink = node.run(["cat", "/sys/class/net/br0/address"]).stdout.strip()
    guest = ipaddress.IPv4Address("203.0.113.9")
    with neighbour.wire() as wire:
        plug(**ROUTED | {"IP": str(guest)})
        announced = receive(wire, lambda frame: frame[12:14] == b"\x08\x06" and frame[28:32] == guest.packed)
        assert announced is not None and announced[:42] == packets.gratuitous_arp(uplink, guest)
        own = packets.mac_bytes(neighbour.mac) + ipaddress.IPv4Address("10.0.3.46").packed
        body = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + own + bytes(6) + guest.packed
        question = packets.ethernet(packets.BROADCAST_MAC, neighbour.mac, packets.ETHERTYPE_ARP, body)
        answer = ask(wire, question, lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02")
        assert answer[22:32] == packets.mac_bytes(uplink) + guest.packed


def test_a_routed_guest_is_reached_and_cannot_forge(node: Node, plug: MakeGuest) -> None:
    guest = plug(**ROUTED)
    assert f"iif {guest.device} lookup 10012" in node.run(["ip", "rule"]).stdout
    assert "203.0.113.7" in node.run(["ip", "route", "show", "table", "10012"]).stdout
    guest.ip("address", "add", "203.0.113.7/24", "dev", "eth0")
    guest.ip("route", "add", "default", "via", "203.0.113.1")
    # Asked for its gateway, the node answers with the device's own address: proxy ARP.
    with guest.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("203.0.113.7", 4000))
        script = (
            "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.bind(('10.0.3.1', 4000))\nprint('up', flush=True)\n"
            "data, peer = s.recvfrom(99)\ns.sendto(repr(peer).encode(), peer)\n"
        )
        server = node.spawn([sys.executable, "-I", "-S", "-c", script], log="udp.log")
        node.wait_for(lambda: "up" in node.log_tail("udp.log"), child=server, log="udp.log")
        with guest.wire() as wire:
            device = node.run(["cat", f"/sys/class/net/{guest.device}/address"]).stdout.strip()
            wire.send(datagram("203.0.113.8", b"forged", mac=guest.mac, to="10.0.3.1", target=device))
        assert _echo(here, "10.0.3.1") == b"('203.0.113.7', 4000)"
        server.wait()
    _talks_by_ipv6(node, guest)
    node.run(["ip", "link", "delete", guest.device])
    node.hook(guest, "instance-stop", **ROUTED)
    assert guest.device not in node.run(["ip", "rule"]).stdout
    assert "10012" not in node.run(["ip", "rule"]).stdout
    assert guest.device not in node.ruleset()


def _echo(here: socket.socket, to: str) -> bytes:
    """Say hello until somebody answers, as the first datagrams may be lost."""
    here.settimeout(3)
    for _ in range(20):
        here.sendto(b"hello", (to, 4000))
        with contextlib.suppress(TimeoutError):
            return here.recv(99)
    raise AssertionError("no answer")


def _talks_by_ipv6(node: Node, guest: NetworkGuest) -> None:
    """The node is the router that its advertisement promises."""
    node.run(["ip", "-6", "address", "add", "2001:db8:ff::1/64", "dev", "br0", "nodad"])
    own = ipaddress.IPv6Network("2001:db8:9::/64")[int(link_local(guest.mac)) & (2**64 - 1)]

    def ready() -> bool:
        shown = guest.ip("-6", "address", "show", "eth0", "scope", "global", "-tentative")
        return str(own) in shown and "default via fe80" in guest.ip("-6", "route", "show")

    wait_until(ready, timeout=60, what="IPv6 address and route")
    with guest.open_socket(socket.AF_INET6, socket.SOCK_DGRAM) as here:
        script = (
            "import socket\ns = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
            "s.bind(('2001:db8:ff::1', 4000))\nprint('up', flush=True)\n"
            "data, peer = s.recvfrom(99)\ns.sendto(peer[0].encode(), peer)\n"
        )
        server = node.spawn([sys.executable, "-I", "-S", "-c", script], log="udp6.log")
        node.wait_for(lambda: "up" in node.log_tail("udp6.log"), child=server, log="udp6.log")
        assert _echo(here, "2001:db8:ff::1") == str(own).encode()
        server.wait()


# What is left behind


def test_rules_of_vanished_guests_are_cleaned_by_the_next_one(node: Node, plug: MakeGuest) -> None:
    gone = plug(**public(41))
    assert f"from-{gone.device} " in node.ruleset()
    node.run(["ip", "link", "delete", gone.device])
    plug(**public(42))
    assert f"-{gone.device} " not in node.ruleset()
    assert node.run(["sh", "-c", f"ls /run/snf-network/*/{gone.device}*"], check=False).stdout == ""


def test_a_device_name_that_is_used_again_has_only_the_new_rules(node: Node, plug: MakeGuest) -> None:
    guest = plug(**public(43))
    node.ifup(guest, LINK="br0", BRIDGE="br0", NETWORK_TAGS="private", NETWORK_MAC_PREFIX="aa:00:0")
    chain = node.run(["nft", "list", "chain", "bridge", "snf_network", f"from-{guest.device}"]).stdout
    assert "10.0.3.43" not in chain and guest.mac in chain
    [record] = [
        json.loads(line)
        for line in node.run(
            [sys.executable, "-m", "gtools.network", "show"], environment={"PYTHONPATH": str(ROOT)}
        ).stdout.splitlines()
        if guest.device in line
    ]
    assert record["instance"] == f"snf-{guest.device[3:]}"


def test_rules_come_back_after_the_rule_set_was_emptied(node: Node, plug: MakeGuest) -> None:
    guest = plug(**public(45))
    set_profile(node, guest, "limited", **public(45))
    before = node.ruleset()
    node.run(["nft", "flush", "ruleset"])
    node.run([sys.executable, "-m", "gtools.network", "restore"], environment={"PYTHONPATH": str(ROOT)})
    for chain in (f"from-{guest.device} ", f"to-{guest.device} "):
        [old], [new] = (
            [part for part in text.split("chain ") if part.startswith(chain)]
            for text in (before, node.ruleset())
        )
        assert new.split("}")[0] == old.split("}")[0] and "{" in new


def test_a_wrong_environment_stops_the_start_with_the_reason(node: Node, plug: MakeGuest) -> None:
    guest = plug(ifup=False)
    with pytest.raises(LabError, match="there is no bridge br9"):
        node.ifup(guest, LINK="br9", NETWORK_TAGS="public")
    assert f"from-{guest.device} " in node.ruleset()
    with pytest.raises(LabError, match="NETWORK_GATEWAY"):
        node.ifup(guest, **public(44, NETWORK_GATEWAY="10.0.3.1; reboot"))
    with pytest.raises(LabError, match="no routing table is named unknown"):
        node.ifup(guest, **public(44, MODE="routed", LINK="unknown"))
    # Ganeti takes the device away, and what was done so far goes with it.
    node.run(["ip", "link", "delete", guest.device])
    node.run([sys.executable, "-m", "gtools.network", "clean"], environment={"PYTHONPATH": str(ROOT)})
    assert f"-{guest.device} " not in node.ruleset()
