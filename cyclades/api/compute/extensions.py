"""What the compute dialect has beyond the core that its clients know (compute contract 2)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.compute.dialect import END, base_url
from synnefo.api import ApiService, json_response
from synnefo.errors import NotFound

_UPDATED = "2011-01-21T11:33:21-06:00"

#: Alias, by which keys and paths are prefixed, to name and description.
EXTENSIONS: dict[str, tuple[str, str]] = {
    "SNF": ("Cyclades", "Sharing, tasks, rescue mode, host names and port forwarding of servers."),
    "OS-DCF": ("Disk Config", "How disks are partitioned; always MANUAL."),
    "OS-EXT-AZ": ("Extended Availability Zone", "The zone of a server; there is one."),
    "OS-EXT-IMG-SIZE": ("Image Size", "The size of an image in bytes."),
    "OS-EXT-IPS": ("Extended IPs", "Whether an address is fixed or floating."),
    "OS-EXT-IPS-MAC": ("Extended IPs MAC", "The MAC address behind an address."),
    "OS-EXT-STS": ("Extended Status", "State, task and power of a server."),
    "OS-FLV-DISABLED": ("Flavor Disabled", "Whether new servers may have a flavor."),
    "OS-FLV-EXT-DATA": ("Flavor Extra Data", "The ephemeral disk of a flavor; always none."),
    "OS-SRV-USG": ("Server Usage", "Since when and until when a server existed."),
    "os-extended-volumes": ("Extended Volumes", "The volumes of a server."),
    "os-flavor-access": ("Flavor Access", "The projects that a private flavor is open to."),
    "os-floating-ip-pools": ("Floating IP Pools", "The networks that floating IPs come from."),
    "os-floating-ips": ("Floating IPs", "Public addresses that a user keeps."),
    "os-interface": ("Attach Interfaces", "The ports of a server."),
    "os-keypairs": ("Keypairs", "SSH keys of a user."),
    "os-quota-sets": ("Quotas", "What the user may have in a project."),
    "os-simple-tenant-usage": ("Simple Tenant Usage", "How long servers of a project existed."),
    "os-volume_attachments": ("Volume Attachments", "Attaching and detaching volumes."),
}


def extension_routes(service: ApiService) -> list[URLPattern | URLResolver]:
    """Return the routes of extensions."""
    return [
        service.route(f"extensions{END}", GET=list_all),
        service.route(rf"extensions/(?P<alias>[^/]+?){END}", GET=show),
    ]


def _render(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "namespace": f"{base_url()}/compute/ext/{alias}",
        "updated": _UPDATED,
        "links": [],
    }


def list_all(request: HttpRequest) -> HttpResponse:
    """Answer with every extension."""
    return json_response({"extensions": [_render(alias) for alias in EXTENSIONS]})


def show(request: HttpRequest, alias: str) -> HttpResponse:
    """Answer with one extension."""
    if alias not in EXTENSIONS:
        raise NotFound("Extension not found.")
    return json_response({"extension": _render(alias)})
