"""Floating IPs over HTTP (network contract 7)."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.network.dialect import (
    PROJECT_NAMES,
    Collection,
    by_column,
    by_id,
    read_reassignment,
    read_resource,
    text_id,
)
from cyclades.logic import floating_ips as ip_logic
from cyclades.logic import interfaces
from cyclades.logic.cidrs import parse_address
from cyclades.models import IPAddress
from synnefo.api import empty_response, json_response
from synnefo.api.fields import optional_bool, optional_str, require_id
from synnefo.errors import NotImplementedFault

ATTACHED, FREE = "ACTIVE", "DOWN"


def render(ip: IPAddress) -> dict[str, Any]:
    """Return all fields of a floating IP with its loaded port."""
    return {
        "id": str(ip.pk),
        "floating_ip_address": ip.address,
        "floating_network_id": str(ip.network_id),
        "fixed_ip_address": None,
        "port_id": text_id(ip.nic_id),
        "instance_id": text_id(ip.nic.machine_id if ip.nic else None),
        "user_id": ip.userid,
        "tenant_id": ip.project,
        "project_id": ip.project,
        "shared_to_project": ip.shared_to_project,
        "deleted": ip.deleted,
        "status": FREE if ip.nic_id is None else ATTACHED,
        "router_id": None,
    }


_COLLECTION = Collection(
    "floatingips",
    render,
    filters={
        "id": by_id("pk"),
        "floating_ip_address": by_column("address"),
        "floating_network_id": by_id("network_id"),
        "port_id": by_id("nic_id"),
        "tenant_id": by_column("project"),
        "project_id": by_column("project"),
        "status": lambda value: Q(nic__isnull=value == FREE) if value in (FREE, ATTACHED) else Q(pk__in=[]),
    },
    sort_keys={"id": "pk", "floating_ip_address": "address", "created_at": "created"},
)


def list_all(request: HttpRequest) -> HttpResponse:
    """List own and shared floating IPs."""
    return _COLLECTION.answer(request, ip_logic.list_floating_ips(acting(request)))


def create(request: HttpRequest) -> HttpResponse:
    """Keep an address, for the server of a port if one is named; kamaki insists on status 200."""
    body = read_resource(request, "floatingip")
    network_id, address = body.get("floating_network_id"), body.get("floating_ip_address")
    wanted: dict[str, Any] = {
        "network_id": None if network_id is None else require_id(network_id, "network"),
        "address": None if address is None else parse_address(address, "floating_ip_address", ipversion=4),
        "project": next((p for name in PROJECT_NAMES if (p := optional_str(body, name))), None),
        "shared_to_project": optional_bool(body, "shared_to_project"),
    }
    port_id = body.get("port_id")
    if port_id in (None, ""):
        ip = ip_logic.create(acting(request), **wanted)
    else:
        ip = interfaces.reserve_floating_ip(acting(request), port_id=require_id(port_id, "port"), **wanted)
    return json_response({"floatingip": render(ip)})


def show(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Show a floating IP."""
    ip = ip_logic.get_floating_ip(acting(request), ip_id=require_id(ip_id, "floating IP"))
    return json_response({"floatingip": render(ip)})


def update(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Put a floating IP on the server of a port, or take it off; nothing else of it can change."""
    body = read_resource(request, "floatingip")
    if "port_id" not in body:
        raise NotImplementedFault("Only 'port_id' of a floating IP can be updated.")
    port_id = body["port_id"]
    ip = interfaces.move_floating_ip(
        acting(request),
        ip_id=require_id(ip_id, "floating IP"),
        port_id=None if port_id in (None, "") else require_id(port_id, "port"),
    )
    return json_response({"floatingip": render(ip)})


def delete(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Release a floating IP."""
    ip_logic.delete(acting(request), ip_id=require_id(ip_id, "floating IP"))
    return empty_response(204)


def act(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Move a floating IP to another project, share or unshare it."""
    wanted = read_reassignment(request)
    ip_logic.reassign(
        acting(request),
        ip_id=require_id(ip_id, "floating IP"),
        project=wanted.project,
        shared_to_project=wanted.shared_to_project,
    )
    return empty_response()
