"""Consoles: an action of Cyclades' own and two of Nova's (compute contract 8.1, 8.2, 22)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import console
from cyclades.logic import servers as server_logic
from cyclades.web.console_address import page_address
from synnefo.api import json_response, read_object
from synnefo.api.fields import require_str
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotImplementedFault

Arguments = dict[str, Any]
#: Nova's kind -> what the viewer speaks.
_NOVA_KINDS = {"novnc": "vnc-wss", "xvpvnc": "vnc"}
_OTHER_PROTOCOLS = ("spice", "rdp", "serial", "mks")


def _console(credentials: Credentials, server_id: int, arguments: Arguments) -> HttpResponse:
    kind = require_str(arguments, "type", max_length=20)
    found = console.open_console(credentials, server_id=server_id, kind=kind)
    body = {"type": found.kind, "host": found.host, "port": found.port, "password": found.password}
    return json_response({"console": body})


def _vnc_console(credentials: Credentials, server_id: int, arguments: Arguments) -> HttpResponse:
    kind = require_str(arguments, "type", max_length=20)
    url = _address(credentials, server_id, kind)
    return json_response({"console": {"type": kind, "url": url}})


def remote_console(request: HttpRequest, server_id: str) -> HttpResponse:
    """``POST /servers/<id>/remote-consoles``, which replaced the action in newer versions of Nova."""
    number = parse_server_id(server_id)
    server_logic.get_server(acting(request), server_id=number)
    wanted = read_object(request).get("remote_console")
    if not isinstance(wanted, dict):
        raise BadRequest("Malformed request: 'remote_console' must be an object")
    protocol = require_str(wanted, "protocol", max_length=20)
    kind = require_str(wanted, "type", max_length=20)
    if protocol in _OTHER_PROTOCOLS:
        raise NotImplementedFault(f"Consoles of protocol {protocol} are not implemented")
    if protocol != "vnc":
        raise BadRequest("'protocol' must be vnc")
    url = _address(acting(request), number, kind)
    return json_response({"remote_console": {"protocol": protocol, "type": kind, "url": url}})


def _address(credentials: Credentials, server_id: int, kind: str) -> str:
    if kind not in _NOVA_KINDS:
        raise BadRequest(f"'type' must be one of {', '.join(_NOVA_KINDS)}")
    spoken = _NOVA_KINDS[kind]
    if spoken == "vnc-wss" and settings.CYCLADES_BASE_URL.startswith("http://"):
        # A page without TLS gains nothing from a screen with it, and needs no certificate then.
        spoken = "vnc-ws"
    found = console.open_console(credentials, server_id=server_id, kind=spoken)
    if kind == "xvpvnc":
        return f"{found.host}:{found.port}?password={found.password}"
    return page_address(found)


ACTIONS = {"console": _console, "os-getVNCConsole": _vnc_console}
