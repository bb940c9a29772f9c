"""The nftables rules of one interface (ganeti-backend contract 8).

Filtering keeps no connection state: a guest that migrates keeps its connections, nobody can fill a state
table, and it works on bridges of kernels without bridge connection tracking. "Established" TCP is a segment
with ACK or RST.

Every script is one transaction, and applying it twice changes nothing.
"""

from __future__ import annotations

import ipaddress

from gtools.network.nic import BRIDGED, Nic
from gtools.network.node_config import NodeConfig

TABLE = "snf_network"
#: Which tables an interface's chains are in; both lists are emptied when it goes, as a device's name may have
#: stood for the other mode before.
FAMILIES = ("bridge", "inet")
_LIMITED_PORTS = "{ 22, 3389 }"
#: Before everything else that may look at a guest's packets.
_EARLY = -310


def base() -> list[str]:
    """Return the commands that make the tables, if they are not there."""
    lines = []
    for family in FAMILIES:
        lines += [
            f"add table {family} {TABLE}",
            f"add map {family} {TABLE} from_guest {{ type ifname : verdict; }}",
            f"add map {family} {TABLE} to_guest {{ type ifname : verdict; }}",
            f"add chain {family} {TABLE} guard"
            f" {{ type filter hook prerouting priority {_EARLY}; policy accept; }}",
            f"add chain {family} {TABLE} deliver"
            " { type filter hook postrouting priority 0; policy accept; }",
            f"flush chain {family} {TABLE} guard",
            f"flush chain {family} {TABLE} deliver",
            f"add rule {family} {TABLE} guard iifname vmap @from_guest",
            f"add rule {family} {TABLE} deliver oifname vmap @to_guest",
        ]
    return [
        *lines,
        f"add table arp {TABLE}",
        f"add map arp {TABLE} from_guest {{ type ifname : verdict; }}",
        f"add chain arp {TABLE} guard {{ type filter hook input priority 0; policy accept; }}",
        f"flush chain arp {TABLE} guard",
        f"add rule arp {TABLE} guard iifname vmap @from_guest",
    ]


def remove(device: str) -> list[str]:
    """Return the commands after which nothing of an interface is left; it need not have been there."""
    lines = []
    for family, directions in (*((family, ("from", "to")) for family in FAMILIES), ("arp", ("from",))):
        for direction in directions:
            chain = f"{direction}-{device}"
            element = f'{family} {TABLE} {direction}_guest {{ "{device}" : goto {chain} }}'
            lines += [
                # Deleting what is missing is an error for nft; adding what is there is none.
                f"add chain {family} {TABLE} {chain}",
                f"add element {element}",
                f"delete element {element}",
                f"flush chain {family} {TABLE} {chain}",
                f"delete chain {family} {TABLE} {chain}",
            ]
    return lines


def install(nic: Nic, config: NodeConfig) -> list[str]:
    """Return the commands that put an interface's rules in place of whatever its device had."""
    family = "bridge" if nic.mode == BRIDGED else "inet"
    chains = {f"{family} from": _from_guest(nic, config), f"{family} to": _to_guest(nic, config)}
    if family == "inet":
        chains["arp from"] = _arp(nic)
    lines = []
    for key, rules in chains.items():
        table, direction = key.split()
        chain = f"{direction}-{nic.device}"
        lines += [f"add chain {table} {TABLE} {chain}", f"flush chain {table} {TABLE} {chain}"]
        lines += [f"add rule {table} {TABLE} {chain} {rule}" for rule in rules]
        lines.append(f'add element {table} {TABLE} {direction}_guest {{ "{nic.device}" : goto {chain} }}')
    return lines


def script(lines: list[str]) -> str:
    """Return what nft reads."""
    return "\n".join(lines) + "\n"


# What a guest may send


def _from_guest(nic: Nic, config: NodeConfig) -> list[str]:
    rules = [f"ether saddr != {nic.mac} drop"]
    if _has_assigned_addresses(nic):
        rules += _only_assigned(nic, config)
    if _has_assigned_addresses(nic) or nic.wants_binding:
        rules += _no_router_or_server(nic)
    return rules


def _has_assigned_addresses(nic: Nic) -> bool:
    """In private bridged networks guests are their users' own: they may route, share addresses and so on."""
    return nic.is_public or nic.mode != BRIDGED


def _only_assigned(nic: Nic, config: NodeConfig) -> list[str]:
    rules = []
    if nic.mode == BRIDGED:
        # Neither tagged frames nor other protocols: nothing that the rules below can't see into.
        rules += ["ether type != { ip, arp, ip6 } drop", *_arp(nic)]
    if nic.ip is not None:
        rules.append("ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept" if not nic.wants_binding else "")
        rules.append(f"ip saddr != {nic.ip} drop")
    else:
        rules.append("meta protocol ip drop")
    sources = {"::", "fe80::/10"}
    if config.ipv6_sources == "subnet" and nic.subnet6 is not None:
        sources.add(str(nic.subnet6))
    elif nic.ip6 is not None:
        sources.add(str(nic.ip6))
    rules.append(f"ip6 saddr != {_set(sources)} drop")
    targets = sources - {"::"}
    if nic.gateway6 is not None and nic.gateway6.is_link_local:
        # A solicitation would make neighbours believe in its source too.
        rules.append(f"ip6 saddr {nic.gateway6} drop")
        rules.append(f"icmpv6 type nd-neighbor-advert @th,64,128 {_number(nic.gateway6)} drop")
    rules += _advertised(targets)
    return [rule for rule in rules if rule]


def _advertised(targets: set[str]) -> list[str]:
    """Neighbour advertisements only for addresses that the guest may use."""
    wanted = []
    for target in sorted(targets):
        network = ipaddress.IPv6Network(target)
        bits = network.prefixlen
        offset = int(network.network_address) >> (128 - bits)
        wanted.append(f"icmpv6 type nd-neighbor-advert @th,64,{bits} {offset:#x} accept")
    return [*wanted, "icmpv6 type nd-neighbor-advert drop"]


def _arp(nic: Nic) -> list[str]:
    """Rules for ARP in a bridge or arp table: only the guest's own addresses."""
    addresses = {"0.0.0.0"} | ({str(nic.ip)} if nic.ip is not None else set())  # noqa: S104  (an ARP probe)
    return [f"arp saddr ether != {nic.mac} drop", f"arp saddr ip != {_set(addresses)} drop"]


def _no_router_or_server(nic: Nic) -> list[str]:
    rules = [
        "udp sport 67 udp dport 68 drop",
        "udp sport 547 udp dport 546 drop",
        "icmpv6 type { nd-router-advert, nd-redirect } drop",
    ]
    if nic.wants_binding:
        # The node's responder has already read them; no other server shall.
        rules += ["udp sport 68 udp dport 67 drop", "udp dport 547 drop"]
    return rules


# What a guest may receive


def _to_guest(nic: Nic, config: NodeConfig) -> list[str]:
    rules = []
    if nic.is_mac_filtered and nic.mac_prefix:
        mask = int(config.mac_mask.replace(":", ""), 16)
        prefix = int(_full_mac(nic.mac_prefix).replace(":", ""), 16) & mask
        rules.append(f"ether saddr & {config.mac_mask} != {_mac_text(prefix)} drop")
    profile = nic.profile or (config.default_profile if nic.is_public else "unprotected")
    if profile != "unprotected":
        rules += _profile(nic, profile)
    return rules


def _profile(nic: Nic, profile: str) -> list[str]:
    rules = ["ether type arp accept"] if nic.mode == BRIDGED else []
    rules += [
        "meta l4proto { icmp, ipv6-icmp } accept",
        "tcp flags & (ack | rst) != 0 accept",
        "udp sport 53 udp dport >= 1024 accept",
        # Later parts of a big answer carry no port; without the first part they come to nothing.
        "ip frag-off & 0x1fff != 0 accept",
    ]
    if not nic.wants_binding:
        rules += ["udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept"]
    if profile == "limited":
        rules.append(f"tcp dport {_LIMITED_PORTS} accept")
    return [*rules, "drop"]


# Texts


def _set(items: set[str]) -> str:
    return "{ " + ", ".join(sorted(items)) + " }"


def _number(address: ipaddress.IPv6Address) -> str:
    return f"{int(address):#034x}"


def _full_mac(prefix: str) -> str:
    octets = prefix.split(":")
    if len(octets[-1]) == 1:
        octets[-1] += "0"
    return ":".join(octets + ["00"] * (6 - len(octets)))


def _mac_text(number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))
