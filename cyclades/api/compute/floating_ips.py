"""Floating IPs as Nova's clients knew them (compute contract 13)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from cyclades.api.changes_since import changes_since
from cyclades.api.compute.dialect import END, acting
from cyclades.logic import floating_ip_pools
from cyclades.logic import floating_ips as ip_logic
from cyclades.models import IPAddress
from synnefo.api import ApiService, empty_response, json_response
from synnefo.api.fields import require_id
from synnefo.errors import NotModified


def floating_ip_routes(service: ApiService) -> list[URLPattern]:
    """Return the routes of addresses and of the pools they come from."""
    return [
        service.route(f"os-floating-ips{END}", GET=list_all, POST=create),
        service.route(rf"os-floating-ips/(?P<ip_id>\d+){END}", GET=show, DELETE=delete),
        service.route(f"os-floating-ip-pools{END}", GET=list_pools),
    ]


def _render(ip: IPAddress) -> dict[str, Any]:
    server_id = ip.nic.machine_id if ip.nic else None
    return {
        "id": ip.pk,
        "ip": ip.address,
        "instance_id": None if server_id is None else str(server_id),
        "fixed_ip": None,
        "pool": None,
    }


def list_all(request: HttpRequest) -> HttpResponse:
    """List own and shared floating IPs; with ``changes-since`` released ones, too."""
    since = changes_since(request)
    found = ip_logic.list_floating_ips(acting(request)).order_by("pk")
    found = found.filter(deleted=False) if since is None else found.filter(updated__gte=since)
    rendered = [_render(ip) for ip in found]
    if since is not None and not rendered:
        raise NotModified()
    return json_response({"floating_ips": rendered})


def create(request: HttpRequest) -> HttpResponse:
    """Keep an address of any pool in the default project; the body says nothing."""
    return json_response({"floating_ip": _render(ip_logic.create(acting(request)))})


def show(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Show a floating IP."""
    ip = ip_logic.get_floating_ip(acting(request), ip_id=require_id(ip_id, "floating IP"))
    return json_response({"floating_ip": _render(ip)})


def delete(request: HttpRequest, ip_id: str) -> HttpResponse:
    """Release a floating IP."""
    ip_logic.delete(acting(request), ip_id=require_id(ip_id, "floating IP"))
    return empty_response(204)


def list_pools(request: HttpRequest) -> HttpResponse:
    """List the networks that floating IPs come from."""
    pools = floating_ip_pools.list_pools(acting(request))
    return json_response(
        {
            "floating_ip_pools": [
                {"name": str(pool.network_id), "size": pool.size, "free": pool.free, "deleted": False}
                for pool in pools
            ]
        }
    )
