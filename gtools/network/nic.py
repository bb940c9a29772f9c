"""One network interface of a guest, as Ganeti describes it in the environment of its scripts.

Everything is checked here: these texts end up in commands and rule sets, and some of them (names, tags) come
from users.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gtools.network.errors import NetworkError

PROFILES = ("protected", "limited", "unprotected")
BRIDGED, ROUTED = "bridged", "routed"
FIREWALL_TAG_PREFIX = "synnefo:network:"

_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_MAC_PREFIX = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}(:[0-9a-f]{1,2}){0,1}")
_UUID = re.compile(r"[0-9a-fA-F-]{0,64}")


@dataclass(frozen=True)
class Nic:
    """A guest's interface and the network it is in.

    device: the node's end (``tap0``).
    ip: its IPv4 address; None when the network gives none.
    link: bridge, or the routing table's name in routed mode.
    vlan: VLAN id on a VLAN-aware bridge, 0 for none.
    tags: of the network.
    profile: its firewall word from the instance's tags, empty when there is none.
    """

    instance: str
    device: str
    mac: str
    mode: str
    link: str = ""
    uuid: str = ""
    name: str = ""
    vlan: int = 0
    ip: ipaddress.IPv4Address | None = None
    network: str = ""
    tags: frozenset[str] = frozenset()
    subnet: ipaddress.IPv4Network | None = None
    gateway: ipaddress.IPv4Address | None = None
    subnet6: ipaddress.IPv6Network | None = None
    gateway6: ipaddress.IPv6Address | None = None
    mac_prefix: str = ""
    profile: str = ""

    @property
    def is_public(self) -> bool:
        """Whether it is in a public network, where addresses must be the assigned ones."""
        return "public" in self.tags

    @property
    def is_mac_filtered(self) -> bool:
        """Whether its network shares a bridge with others and is told apart by MAC prefix."""
        return "private-filtered" in self.tags

    @property
    def wants_binding(self) -> bool:
        """Whether the node tells it its address (network contract 5: dhcp)."""
        return "nfdhcpd" in self.tags

    @property
    def ip6(self) -> ipaddress.IPv6Address | None:
        """Its IPv6 address: EUI-64 of MAC and /64, never chosen (network contract 9)."""
        if self.subnet6 is None or self.subnet6.prefixlen != 64:
            return None
        return self.subnet6[int.from_bytes(eui64(self.mac), "big")]


def eui64(mac: str) -> bytes:
    """Return the 8 bytes of an interface identifier."""
    raw = bytes.fromhex(mac.replace(":", ""))
    return bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]


def link_local(mac: str) -> ipaddress.IPv6Address:
    """Return the link-local address that belongs to a MAC address."""
    return ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + eui64(mac))


def parse_mac(text: str, what: str = "MAC") -> str:
    """Return a MAC address in lower case; raise `NetworkError`."""
    mac = text.strip().lower()
    if not _MAC.fullmatch(mac):
        raise NetworkError(f"{what}: {text!r} is no MAC address")
    return mac


def from_ifup(environment: Mapping[str, str]) -> Nic:
    """Return the interface that ``kvm-vif-bridge`` was called for; raise `NetworkError`."""
    return _parse(
        environment,
        prefix="",
        instance=environment.get("INSTANCE", ""),
        device=environment.get("INTERFACE", ""),
        name=environment.get("INTERFACE_NAME", ""),
        uuid=environment.get("INTERFACE_UUID", ""),
        instance_tags=environment.get("TAGS", "").split(),
    )


def to_ifup(nic: Nic) -> dict[str, str]:
    """Return the environment from which `from_ifup` makes the same interface."""
    values: dict[str, object] = {
        "INSTANCE": nic.instance,
        "INTERFACE": nic.device,
        "INTERFACE_NAME": nic.name,
        "INTERFACE_UUID": nic.uuid,
        "TAGS": f"{FIREWALL_TAG_PREFIX}{nic.name}:{nic.profile}" if nic.profile else "",
        "MAC": nic.mac,
        "MODE": nic.mode,
        "LINK": nic.link,
        "VLAN": nic.vlan or "",
        "IP": nic.ip,
        "NETWORK_NAME": nic.network,
        "NETWORK_TAGS": " ".join(sorted(nic.tags)),
        "NETWORK_SUBNET": nic.subnet,
        "NETWORK_GATEWAY": nic.gateway,
        "NETWORK_SUBNET6": nic.subnet6,
        "NETWORK_GATEWAY6": nic.gateway6,
        "NETWORK_MAC_PREFIX": nic.mac_prefix,
    }
    return {name: str(value) for name, value in values.items() if value is not None and value != ""}


def from_hook(environment: Mapping[str, str], index: int, device: str) -> Nic:
    """Return interface ``index`` of a Ganeti hook's environment; raise `NetworkError`.

    device: what the hook does not tell, from this node's own records.
    """
    base = _hook_prefix(environment)
    prefix = f"{base}NIC{index}_"
    return _parse(
        environment,
        prefix=prefix,
        instance=environment.get(f"{base}NAME", ""),
        device=device,
        name=environment.get(f"{prefix}NAME", ""),
        uuid=environment.get(f"{prefix}UUID", ""),
        instance_tags=environment.get(f"{base}TAGS", "").split(),
    )


def hook_uuids(environment: Mapping[str, str]) -> dict[str, int]:
    """Return index by UUID of the interfaces in a hook's environment."""
    base = _hook_prefix(environment)
    count = environment.get(f"{base}NIC_COUNT", "0")
    total = int(count) if count.isascii() and count.isdigit() else 0
    found = {}
    for index in range(min(total, 64)):
        uuid = environment.get(f"{base}NIC{index}_UUID")
        if uuid:
            found[uuid] = index
    return found


def hook_instance(environment: Mapping[str, str]) -> str:
    """Return the name of the instance that a hook is about, empty if there is none."""
    return environment.get(f"{_hook_prefix(environment)}NAME", "")


def _hook_prefix(environment: Mapping[str, str]) -> str:
    """After an operation Ganeti gives the state before it and, with another prefix, the state now."""
    return "GANETI_POST_INSTANCE_" if "GANETI_POST_INSTANCE_NAME" in environment else "GANETI_INSTANCE_"


def profile_of(nic_name: str, instance_tags: Sequence[str]) -> str:
    """Return the firewall word for a NIC among an instance's tags, empty if none (contract 2.1)."""
    for tag in instance_tags:
        fields = tag.split(":")
        if tag.startswith(FIREWALL_TAG_PREFIX) and len(fields) == 4 and nic_name and fields[2] == nic_name:
            if fields[3] not in PROFILES:
                raise NetworkError(f"firewall tag {tag!r}: unknown profile")
            return fields[3]
    return ""


def _parse(
    environment: Mapping[str, str],
    *,
    prefix: str,
    instance: str,
    device: str,
    name: str,
    uuid: str,
    instance_tags: Sequence[str],
) -> Nic:
    def text(key: str) -> str:
        return environment.get(prefix + key, "").strip()

    mode = text("MODE")
    if mode not in (BRIDGED, ROUTED):
        raise NetworkError(f"{prefix}MODE: {mode!r} is not supported, only {BRIDGED} and {ROUTED}")
    link = text("LINK") or text("BRIDGE")
    if mode == BRIDGED and not link:
        raise NetworkError(f"{prefix}LINK: a bridged interface needs a bridge")
    return Nic(
        instance=_match(_INSTANCE, instance, "INSTANCE"),
        device=_match(_DEVICE, device, "INTERFACE"),
        mac=parse_mac(text("MAC"), f"{prefix}MAC"),
        mode=mode,
        link=_match(_LINK, link, f"{prefix}LINK") if link else "",
        uuid=_match(_UUID, uuid, "UUID"),
        name=name,
        vlan=_vlan(text("VLAN"), f"{prefix}VLAN"),
        ip=_address4(text("IP"), f"{prefix}IP"),
        network=text("NETWORK_NAME"),
        tags=frozenset(text("NETWORK_TAGS").split()),
        subnet=_network4(text("NETWORK_SUBNET"), f"{prefix}NETWORK_SUBNET"),
        gateway=_address4(text("NETWORK_GATEWAY"), f"{prefix}NETWORK_GATEWAY"),
        subnet6=_network6(text("NETWORK_SUBNET6"), f"{prefix}NETWORK_SUBNET6"),
        gateway6=_address6(text("NETWORK_GATEWAY6"), f"{prefix}NETWORK_GATEWAY6"),
        mac_prefix=_mac_prefix(text("NETWORK_MAC_PREFIX"), f"{prefix}NETWORK_MAC_PREFIX"),
        profile=profile_of(name, instance_tags),
    )


def _match(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise NetworkError(f"{what}: {value!r} can't be used")
    return value


def _vlan(text: str, what: str) -> int:
    digits = text.removeprefix(".")
    if not digits:
        return 0
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= 4094:
        raise NetworkError(f"{what}: {text!r}: only one untagged VLAN (1 to 4094) is supported")
    return int(digits)


def _mac_prefix(text: str, what: str) -> str:
    prefix = text.lower()
    if prefix and not _MAC_PREFIX.fullmatch(prefix):
        raise NetworkError(f"{what}: {text!r} is no MAC prefix")
    return prefix


def _address4(text: str, what: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text) if text else None
    except ValueError as error:
        raise NetworkError(f"{what}: {error}") from error


def _network4(text: str, what: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text, strict=False) if text else None
    except ValueError as error:
        raise NetworkError(f"{what}: {error}") from error


def _address6(text: str, what: str) -> ipaddress.IPv6Address | None:
    if "%" in text:
        raise NetworkError(f"{what}: {text!r}: an address with a scope means nothing to a guest")
    try:
        return ipaddress.IPv6Address(text) if text else None
    except ValueError as error:
        raise NetworkError(f"{what}: {error}") from error


def _network6(text: str, what: str) -> ipaddress.IPv6Network | None:
    if "%" in text:
        raise NetworkError(f"{what}: {text!r} is no network")
    try:
        return ipaddress.IPv6Network(text, strict=False) if text else None
    except ValueError as error:
        raise NetworkError(f"{what}: {error}") from error
