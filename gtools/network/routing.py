"""Routed interfaces without addresses on the node's side (network contract 3, IP_LESS_ROUTED)."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from gtools.network.errors import NetworkError
from gtools.network.nic import Nic, to_ifup
from gtools.network.node_config import NodeConfig
from gtools.network.records import Record
from gtools.network.system import System

logger = logging.getLogger("snf-network")

TABLE_FILES = ("/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables")
TABLE_DIRECTORIES = ("/etc/iproute2/rt_tables.d", "/usr/share/iproute2/rt_tables.d")
_GENERATED_LINK = re.compile(r"[A-Za-z0-9_.]+-link-([0-9]{1,8})")
#: Before the main table (32766), after what an administrator wants to come first.
RULE_PREFERENCE = "20000"


def table_of(link: str, config: NodeConfig, files: Iterable[str] | None = None) -> str:
    """Return the routing table of a link: its number; raise `NetworkError`.

    Names in rt_tables come first, then numbers themselves, then the links that Synnefo generates.
    """
    if not link:
        return "main"
    if link.isascii() and link.isdigit():
        return link
    named = _named_tables(_table_files() if files is None else files).get(link)
    if named is not None:
        return named
    generated = _GENERATED_LINK.fullmatch(link)
    if generated is not None:
        return str(config.routing_table_base + int(generated[1]))
    raise NetworkError(f"LINK: no routing table is named {link}: add it to /etc/iproute2/rt_tables")


def _table_files() -> list[str]:
    files = [path for path in TABLE_FILES if Path(path).exists()]
    for directory in TABLE_DIRECTORIES:
        files += [str(path) for path in sorted(Path(directory).glob("*.conf"))]
    return files


def _named_tables(files: Iterable[str]) -> dict[str, str]:
    tables: dict[str, str] = {}
    for path in files:
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.partition("#")[0].split()
            if len(words) == 2 and words[0].isdigit():
                tables.setdefault(words[1], words[0])
    return tables


def default_device(table: str, family: str) -> str:
    """Return the device of a table's default route, empty if it has none.

    family: ``-4`` or ``-6``.
    """
    command = ["ip", "-j", family, "route", "show", "table", table, "default"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    try:
        routes = json.loads(result.stdout or "[]")
    except ValueError:
        return ""
    for route in routes if isinstance(routes, list) else []:
        device = route.get("dev") if isinstance(route, dict) else None
        if isinstance(device, str):
            return device
    return ""


def set_up(system: System, nic: Nic, config: NodeConfig) -> Record:
    """Route a guest's addresses to its device and answer for them elsewhere; return what to undo."""
    table = table_of(nic.link, config)
    system.write(f"/proc/sys/net/ipv6/conf/{nic.device}/disable_ipv6", "0")
    # Its link-local address is the guests' router: the one that follows from its MAC address.
    system.write(f"/proc/sys/net/ipv6/conf/{nic.device}/addr_gen_mode", "0")
    system.run("ip", "link", "set", nic.device, "up")
    for family in ("-4", "-6"):
        system.run("ip", family, "rule", "add", "iif", nic.device, "lookup", table, "pref", RULE_PREFERENCE)
    _let_forward(system, nic.device)
    routes, proxies = [], []
    if nic.ip is not None:
        routes += _route(system, nic.device, nic.ip, table)
        uplink = default_device(table, "-4") or default_device("main", "-4")
        if uplink:
            system.write(f"/proc/sys/net/ipv4/conf/{uplink}/proxy_arp", "1")
            system.write(f"/proc/sys/net/ipv4/conf/{uplink}/forwarding", "1")
            # Only the guest's node answers for it, so there is nobody to wait for; and answers that wait are
            # dropped by the kernel whenever some device of the node goes down.
            system.write(f"/proc/sys/net/ipv4/neigh/{uplink}/proxy_delay", "0")
    if nic.ip6 is not None:
        routes += _route(system, nic.device, nic.ip6, table)
        uplink = default_device(table, "-6") or default_device("main", "-6")
        for device in filter(None, {uplink}):
            system.write(f"/proc/sys/net/ipv6/conf/{device}/proxy_ndp", "1")
            system.run("ip", "-6", "neigh", "replace", "proxy", str(nic.ip6), "dev", device)
            proxies.append(f"{nic.ip6} {device}")
    return Record(
        *(nic.device, nic.instance, nic.uuid, nic.mode, nic.link),
        routes=tuple(routes),
        proxies=tuple(proxies),
        environment=to_ifup(nic),
    )


def _let_forward(system: System, device: str) -> None:
    base4, base6 = f"/proc/sys/net/ipv4/conf/{device}", f"/proc/sys/net/ipv6/conf/{device}"
    system.write(f"{base4}/proxy_arp", "1")
    # Answer at once: the guest asks for its gateway, which is never on this wire.
    system.write(f"/proc/sys/net/ipv4/neigh/{device}/proxy_delay", "0")
    system.write(f"{base4}/forwarding", "1")
    system.write(f"{base4}/rp_filter", "0")
    system.write(f"{base6}/proxy_ndp", "1")
    system.write(f"{base6}/forwarding", "1")
    # A guest's router advertisements must never configure the node.
    system.write(f"{base6}/accept_ra", "0")
    system.write(f"{base6}/autoconf", "0")


def _route(
    system: System, device: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, table: str
) -> list[str]:
    family, full = f"-{address.version}", f"{address}/{address.max_prefixlen}"
    system.run("ip", family, "route", "replace", full, "dev", device, "table", table, "proto", "static")
    if table == "main":
        return [f"{address} {table}"]
    # The guest's own way out is its table; what comes in for it must find that table too.
    rule = ("rule", "add", "to", full, "lookup", table, "pref", RULE_PREFERENCE)
    system.run("ip", family, *rule, check=False)
    return [f"{address} {table}"]


def tear_down(system: System, record: Record) -> None:
    """Undo `set_up`; every part may be gone already, as routes go with their device."""
    for family in ("-4", "-6"):
        _delete_all(system, "ip", family, "rule", "del", "iif", record.device)
    for entry in record.routes:
        text, table = entry.split()
        address = ipaddress.ip_address(text)
        family, full = f"-{address.version}", f"{address}/{address.max_prefixlen}"
        command = ("ip", family, "route", "del", full, "dev", record.device, "table", table)
        system.run(*command, check=False)
        if table != "main":
            _delete_all(system, "ip", family, "rule", "del", "to", full, "lookup", table)
    for entry in record.proxies:
        text, uplink = entry.split()
        system.run("ip", "-6", "neigh", "del", "proxy", text, "dev", uplink, check=False)


def _delete_all(system: System, *command: str) -> None:
    for _ in range(16):
        if not system.run(*command, check=False):
            return
