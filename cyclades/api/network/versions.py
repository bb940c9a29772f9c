"""What the dialect says about itself, without authentication (network contract 1 and 17)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.network.dialect import VERSION, root_url
from synnefo.api import json_response
from synnefo.errors import NotFound

_RESOURCES = (
    ("network", "networks"),
    ("subnet", "subnets"),
    ("port", "ports"),
    ("floatingip", "floatingips"),
)


def _version() -> dict[str, Any]:
    return {
        "id": VERSION,
        "status": "CURRENT",
        "links": [{"rel": "self", "href": root_url(f"{VERSION}/")}],
    }


def list_versions(request: HttpRequest) -> HttpResponse:
    """List the only version."""
    return json_response({"versions": [_version()]})


def show_version(request: HttpRequest) -> HttpResponse:
    """List the resources of the version."""
    resources = [
        {
            "name": name,
            "collection": collection,
            "links": [{"rel": "self", "href": root_url(f"{VERSION}/{collection}")}],
        }
        for name, collection in _RESOURCES
    ]
    return json_response({"resources": resources, "version": _version()})


def list_extensions(request: HttpRequest) -> HttpResponse:
    """Say that there are no extensions."""
    return json_response({"extensions": []})


def show_extension(request: HttpRequest, alias: str) -> HttpResponse:
    """Say that there are no extensions."""
    raise NotFound("Extension not found.")


def list_security_groups(request: HttpRequest) -> HttpResponse:
    """Say that there are no security groups."""
    return json_response({"security_groups": []})


def list_routers(request: HttpRequest) -> HttpResponse:
    """Say that there are no routers."""
    return json_response({"routers": []})


def refuse_unknown(request: HttpRequest) -> HttpResponse:
    """Say that agents and quotas of their own are not here; quota is the compute service's to show."""
    raise NotFound("This extension of the network service is not offered.")
