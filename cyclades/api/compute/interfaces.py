"""A server's ports as Nova's interfaces (compute contract 22.4)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.compute.dialect import END, acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import interfaces as interface_logic
from cyclades.logic.cidrs import parse_address
from cyclades.models import Port
from synnefo.api import ApiService, empty_response, fields, json_response, read_object
from synnefo.errors import BadRequest


def interface_routes(service: ApiService) -> list[URLPattern | URLResolver]:
    """Return the routes of a server's interfaces."""
    server = r"servers/(?P<server_id>\d+)"
    return [
        service.route(f"{server}/os-interface{END}", GET=list_all, POST=attach),
        service.route(rf"{server}/os-interface/(?P<port_id>[^/.]+){END}", GET=show, DELETE=detach),
    ]


def _render(port: Port) -> dict[str, Any]:
    return {
        "port_id": str(port.pk),
        "net_id": str(port.network_id),
        "mac_addr": port.mac or "",
        "port_state": port.state,
        "fixed_ips": [
            {"ip_address": ip.address, "subnet_id": str(ip.subnet_id)}
            for ip in port.ips.all()
            if not ip.deleted
        ],
    }


def list_all(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with a server's ports, also those that are still being connected."""
    ports = interface_logic.list_interfaces(acting(request), server_id=parse_server_id(server_id))
    return json_response({"interfaceAttachments": [_render(port) for port in ports]})


def show(request: HttpRequest, server_id: str, port_id: str) -> HttpResponse:
    """Answer with one port of a server."""
    port = interface_logic.get_interface(
        acting(request), server_id=parse_server_id(server_id), port_id=fields.require_id(port_id, "port")
    )
    return json_response({"interfaceAttachment": _render(port)})


def attach(request: HttpRequest, server_id: str) -> HttpResponse:
    """Connect a server: to a network, or by an unattached port."""
    body = fields.require_object(read_object(request), "interfaceAttachment")
    port_id, network_id = body.get("port_id"), body.get("net_id")
    if (port_id is None) == (network_id is None):
        raise BadRequest("Malformed request: exactly one of 'port_id' and 'net_id' is needed")
    port = interface_logic.attach(
        acting(request),
        server_id=parse_server_id(server_id),
        port_id=None if port_id is None else fields.require_id(port_id, "port"),
        network_id=None if network_id is None else fields.require_id(network_id, "network"),
        address=_address(body),
    )
    return json_response({"interfaceAttachment": _render(port)})


def _address(body: dict[str, Any]) -> str | None:
    items = fields.optional_list(body, "fixed_ips")
    if not items:
        return None
    if len(items) > 1 or not isinstance(items[0], dict):
        raise BadRequest("'fixed_ips' must contain one object with an 'ip_address'")
    return parse_address(items[0].get("ip_address"), "ip_address", ipversion=4)


def detach(request: HttpRequest, server_id: str, port_id: str) -> HttpResponse:
    """Begin to remove a port from its server."""
    interface_logic.detach(
        acting(request), server_id=parse_server_id(server_id), port_id=fields.require_id(port_id, "port")
    )
    return empty_response(202)
