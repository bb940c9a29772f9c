"""Actions that decide who reaches a server: firewall profile and floating IPs (compute contract 7.2, 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cyclades.logic import firewall, floating_ips
from cyclades.logic.cidrs import parse_address
from synnefo.api.fields import require_id, require_str
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest

Arguments = dict[str, Any]


def _set_firewall_profile(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    for name in ("profile", "nic"):
        if name not in arguments:
            raise BadRequest(f"Malformed request. Missing attribute '{name}'.")
    port_id = require_id(arguments["nic"], "nic")
    profile = arguments["profile"]
    firewall.set_profile(credentials, server_id=server_id, port_id=port_id, profile=str(profile)[:20])


def _add_floating_ip(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    floating_ips.attach(credentials, server_id=server_id, address=_address(arguments))


def _remove_floating_ip(credentials: Credentials, server_id: int, arguments: Arguments) -> None:
    floating_ips.detach(credentials, server_id=server_id, address=_address(arguments))


def _address(arguments: Arguments) -> str:
    return parse_address(require_str(arguments, "address"), "address", ipversion=4)


ACTIONS: dict[str, Callable[[Credentials, int, Arguments], None]] = {
    "firewallProfile": _set_firewall_profile,
    "addFloatingIp": _add_floating_ip,
    "removeFloatingIp": _remove_floating_ip,
}
