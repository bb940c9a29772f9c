"""What Nova has and this service has only one or none of (compute contract 22.4)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.compute.dialect import END, acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import servers as server_logic
from synnefo.api import ApiService, json_response
from synnefo.errors import Forbidden

_ZONE = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}


def fixed_routes(service: ApiService) -> list[URLPattern | URLResolver]:
    """Return the routes whose answers never change."""
    route = service.route
    server = r"servers/(?P<server_id>\d+)"
    return [
        route(f"os-availability-zone{END}", GET=list_zones),
        route(f"os-availability-zone/detail{END}", GET=refuse_zone_details),
        route(f"os-security-groups{END}", GET=list_security_groups),
        route(f"os-server-groups{END}", GET=list_server_groups),
        route(f"{server}/os-security-groups{END}", GET=list_groups_of_server),
        route(f"{server}/os-instance-actions{END}", GET=list_actions),
    ]


def list_zones(request: HttpRequest) -> HttpResponse:
    """Answer with the one zone; clusters are chosen by the service."""
    return json_response({"availabilityZoneInfo": [_ZONE]})


def refuse_zone_details(request: HttpRequest) -> HttpResponse:
    """Refuse as Nova does: which hosts there are is the administrators' to know."""
    raise Forbidden("Only administrators may see the hosts of a zone.")


def list_security_groups(request: HttpRequest) -> HttpResponse:
    """Answer with the group that every server is in; firewall profiles take the place of rules."""
    group = {"id": "default", "name": "default", "description": "default", "rules": []}
    return json_response({"security_groups": [group | {"tenant_id": acting(request).default_project}]})


def list_server_groups(request: HttpRequest) -> HttpResponse:
    """Answer with no groups."""
    return json_response({"server_groups": []})


def list_groups_of_server(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with the group that every server is in."""
    server_logic.get_server(acting(request), server_id=parse_server_id(server_id))
    return list_security_groups(request)


def list_actions(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with nothing: actions are in the administrators' audit trail."""
    server_logic.get_server(acting(request), server_id=parse_server_id(server_id))
    return json_response({"instanceActions": []})
