"""Ports over HTTP (network contract 6)."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.network.dialect import (
    Collection,
    by_column,
    by_id,
    moments,
    read_resource,
    require_attribute,
    resource_links,
    text_id,
)
from cyclades.logic import interfaces
from cyclades.logic import ports as port_logic
from cyclades.logic.cidrs import parse_address
from cyclades.models import IPAddress, Port
from synnefo.api import empty_response, json_response
from synnefo.api.fields import optional_list, optional_str, require_id
from synnefo.errors import BadRequest


def render(port: Port) -> dict[str, Any]:
    """Return all fields of a port with its prefetched addresses."""
    addresses = sorted((ip for ip in port.ips.all() if not ip.deleted), key=lambda ip: ip.ipversion)
    return {
        "id": str(port.pk),
        "name": port.name,
        "network_id": str(port.network_id),
        "device_id": text_id(port.machine_id),
        "device_owner": port.device_owner,
        "mac_address": port.mac,
        "status": port.state,
        "admin_state_up": True,
        "fixed_ips": [
            {"ip_address": ip.address, "subnet": str(ip.subnet_id), "subnet_id": str(ip.subnet_id)}
            for ip in addresses
        ],
        "security_groups": [],
        "user_id": port.userid,
        "tenant_id": port.userid,
        "project_id": port.userid,
        **moments(port.created, port.updated),
        "links": resource_links("ports", port.pk),
    }


def _by_fixed_ip(value: str) -> Q:
    """Match ``ip_address=<address>`` and ``subnet_id=<id>``."""
    key, _, wanted = value.partition("=")
    # Not by a join: a port with two addresses that are asked for would come twice.
    addresses = IPAddress.objects.filter(deleted=False, nic__isnull=False)
    if key == "ip_address":
        return Q(pk__in=addresses.filter(address=wanted).values("nic"))
    if key == "subnet_id":
        return Q(pk__in=addresses.filter(by_id("subnet_id")(wanted)).values("nic"))
    return Q(pk__in=[])


_COLLECTION = Collection(
    "ports",
    render,
    filters={
        "id": by_id("pk"),
        "name": by_column("name"),
        "network_id": by_id("network_id"),
        "device_id": by_id("machine_id"),
        "device_owner": by_column("device_owner"),
        "tenant_id": by_column("userid"),
        "project_id": by_column("userid"),
        "mac_address": by_column("mac"),
        "status": by_column("state"),
        "fixed_ips": _by_fixed_ip,
    },
    sort_keys={"id": "pk", "name": "name", "status": "state", "created_at": "created"},
    polling=False,
)


def list_all(request: HttpRequest) -> HttpResponse:
    """List visible ports."""
    return _COLLECTION.answer(request, port_logic.list_ports(acting(request)))


def create(request: HttpRequest) -> HttpResponse:
    """Create a port, unattached or on a server."""
    body = read_resource(request, "port")
    network_id = require_attribute(body, "network_id")
    device_id = body.get("device_id")
    wanted = port_logic.PortRequest(
        address=_fixed_ip(body),
        # Neutron's clients send an empty text for no device.
        device_id=None if device_id in (None, "") else require_id(device_id, "server"),
        network_id=require_id(network_id, "network"),
        name=optional_str(body, "name", max_length=port_logic.MAX_NAME) or "",
        security_groups=[
            require_id(item, "security group") for item in optional_list(body, "security_groups")
        ],
    )
    port = port_logic.create(acting(request), request=wanted)
    return json_response({"port": render(port)}, status=201)


def _fixed_ip(body: dict[str, Any]) -> str | None:
    items = optional_list(body, "fixed_ips")
    if not items:
        return None
    if len(items) > 1:
        raise BadRequest("'fixed_ips' must contain only one fixed IP.")
    if not isinstance(items[0], dict):
        raise BadRequest("'fixed_ips' must be a list of objects")
    if items[0].get("ip_address") is None:
        return None
    return parse_address(items[0]["ip_address"], "ip_address", ipversion=4)


def show(request: HttpRequest, port_id: str) -> HttpResponse:
    """Show a port."""
    port = port_logic.get_port(acting(request), port_id=require_id(port_id, "port"))
    return json_response({"port": render(port)})


def update(request: HttpRequest, port_id: str) -> HttpResponse:
    """Rename a port, or give one that is on no server to one; whatever else clients send is ignored."""
    body = read_resource(request, "port")
    device_id = body.get("device_id")
    if device_id not in (None, ""):
        interfaces.give_port(
            acting(request),
            server_id=require_id(device_id, "server"),
            port_id=require_id(port_id, "port"),
        )
    port = port_logic.update(
        acting(request),
        port_id=require_id(port_id, "port"),
        name=optional_str(body, "name", max_length=port_logic.MAX_NAME),
    )
    return json_response({"port": render(port)})


def delete(request: HttpRequest, port_id: str) -> HttpResponse:
    """Remove a port, or have it removed from its server."""
    port_logic.delete(acting(request), port_id=require_id(port_id, "port"))
    return empty_response(204)
