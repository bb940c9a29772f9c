"""Networks over HTTP (network contract 4)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.network.dialect import (
    PROJECT_NAMES,
    Collection,
    by_column,
    by_flag,
    by_id,
    moments,
    read_reassignment,
    read_resource,
    require_attribute,
    resource_links,
)
from cyclades.logic import networks as network_logic
from cyclades.models import Network
from synnefo.api import empty_response, json_response
from synnefo.api.fields import optional_bool, optional_str, require_id, require_str

DRAINED = "SNF:DRAINED"
MTU = 1500


def render(network: Network) -> dict[str, Any]:
    """Return all fields of a network with its prefetched subnets."""
    return {
        "id": str(network.pk),
        "name": network.name,
        "type": network.flavor,
        "status": DRAINED if network.drained else network.state,
        "user_id": network.userid,
        "tenant_id": network.project,
        "project_id": network.project,
        "shared_to_project": network.shared_to_project,
        "public": network.public,
        "shared": network.public,
        "router:external": network.external_router,
        "admin_state_up": True,
        "SNF:floating_ip_pool": network.floating_ip_pool,
        "subnets": [str(subnet.pk) for subnet in sorted(network.subnets.all(), key=lambda s: s.pk)],
        "deleted": network.deleted,
        **moments(network.created, network.updated),
        "mtu": MTU,
        "description": "",
        "availability_zones": [],
        "tags": [],
        "links": resource_links("networks", network.pk),
    }


def _by_status(value: str) -> Q:
    return Q(drained=True) if value == DRAINED else Q(drained=False, state=value)


_COLLECTION = Collection(
    "networks",
    render,
    filters={
        "id": by_id("pk"),
        "name": by_column("name"),
        "status": _by_status,
        "tenant_id": by_column("project"),
        "project_id": by_column("project"),
        "router:external": by_flag("external_router"),
        "shared": by_flag("public"),
    },
    sort_keys={"id": "pk", "name": "name", "status": "state", "created_at": "created"},
)


def list_all(request: HttpRequest) -> HttpResponse:
    """List own, shared and public networks."""
    return _COLLECTION.answer(request, network_logic.list_networks(acting(request)))


def create(request: HttpRequest) -> HttpResponse:
    """Create a private network."""
    body = read_resource(request, "network")
    # Neutron's clients know of no types.
    kind = require_attribute(body, "type") if "type" in body else _default_type()
    network = network_logic.create(
        acting(request),
        flavor_name=require_str({"type": kind}, "type", max_length=32),
        name=optional_str(body, "name", max_length=network_logic.MAX_NAME) or "",
        project=next((p for name in PROJECT_NAMES if (p := optional_str(body, name))), None),
        shared_to_project=optional_bool(body, "shared_to_project"),
    )
    return json_response({"network": render(network)}, status=201)


def _default_type() -> str:
    return str(next(iter(settings.API_ENABLED_NETWORK_FLAVORS), ""))


def show(request: HttpRequest, network_id: str) -> HttpResponse:
    """Show a network; a deleted one too."""
    network = network_logic.get_network(acting(request), network_id=require_id(network_id, "network"))
    return json_response({"network": render(network)})


def update(request: HttpRequest, network_id: str) -> HttpResponse:
    """Rename a network; whatever else clients send is ignored."""
    body = read_resource(request, "network")
    network = network_logic.rename(
        acting(request),
        network_id=require_id(network_id, "network"),
        name=require_str(body, "name", max_length=network_logic.MAX_NAME),
    )
    return json_response({"network": render(network)})


def delete(request: HttpRequest, network_id: str) -> HttpResponse:
    """Delete a network."""
    network_logic.delete(acting(request), network_id=require_id(network_id, "network"))
    return empty_response(204)


def act(request: HttpRequest, network_id: str) -> HttpResponse:
    """Move a network to another project, share or unshare it."""
    wanted = read_reassignment(request)
    network_logic.reassign(
        acting(request),
        network_id=require_id(network_id, "network"),
        project=wanted.project,
        shared_to_project=wanted.shared_to_project,
    )
    return empty_response()
