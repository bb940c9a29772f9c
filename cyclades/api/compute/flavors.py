"""Flavors (compute contract 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting, next_page, page_limit, query_int, resource_links
from cyclades.logic import flavors as flavor_logic
from cyclades.models import Flavor
from synnefo.api import fields, json_response


def render_brief(flavor: Flavor) -> dict[str, Any]:
    """Return the short form of lists."""
    return {"id": flavor.pk, "name": flavor.name, "links": resource_links(f"flavors/{flavor.pk}")}


def render_detail(flavor: Flavor) -> dict[str, Any]:
    """Return all fields of a flavor."""
    return {
        **render_brief(flavor),
        "ram": flavor.ram,
        "disk": flavor.disk,
        "vcpus": flavor.cpu,
        "SNF:disk_template": flavor.volume_type.disk_template,
        "SNF:volume_type": flavor.volume_type_id,
        "SNF:allow_create": flavor.allow_create,
        "SNF:flavor-access": flavor_logic.access_projects(flavor),
        "os-flavor-access:is_public": flavor.public,
        "rxtx_factor": 1.0,
        "swap": "",
        "OS-FLV-DISABLED:disabled": not flavor.allow_create,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "extra_specs": {spec.key: spec.value for spec in flavor.specs.all()},
    }


def list_brief(request: HttpRequest) -> HttpResponse:
    """Answer with ids and names."""
    return _list(request, "flavors", render_brief)


def list_detail(request: HttpRequest) -> HttpResponse:
    """Answer with all fields."""
    return _list(request, "flavors/detail", render_detail)


def _list(request: HttpRequest, path: str, render: Callable[[Flavor], dict[str, Any]]) -> HttpResponse:
    page = flavor_logic.list_flavors(acting(request), conditions=_conditions(request))
    body: dict[str, Any] = {"flavors": [render(flavor) for flavor in page.flavors]}
    if page.has_more:
        body["flavors_links"] = next_page(request, path, page.flavors[-1].pk)
    return json_response(body)


def _conditions(request: HttpRequest) -> flavor_logic.FlavorFilter:
    public = request.GET.get("SNF:is_public")
    return flavor_logic.FlavorFilter(
        is_public=None if public is None else public.lower() == "true",
        access_project=request.GET.get("SNF:flavor-access"),
        min_ram=query_int(request, "minRam"),
        min_disk=query_int(request, "minDisk"),
        marker=query_int(request, "marker"),
        limit=page_limit(request),
    )


def show(request: HttpRequest, flavor_id: str) -> HttpResponse:
    """Answer with one flavor."""
    return json_response({"flavor": render_detail(_flavor(request, flavor_id))})


def show_specs(request: HttpRequest, flavor_id: str) -> HttpResponse:
    """Answer with a flavor's further parameters."""
    flavor = _flavor(request, flavor_id)
    return json_response({"extra_specs": {spec.key: spec.value for spec in flavor.specs.all()}})


def show_access(request: HttpRequest, flavor_id: str) -> HttpResponse:
    """Answer with the caller's projects that a private flavor is open to."""
    flavor = _flavor(request, flavor_id)
    projects = flavor_logic.access_projects(flavor)
    return json_response({"flavor_access": [{"flavor_id": flavor.pk, "tenant_id": p} for p in projects]})


def _flavor(request: HttpRequest, flavor_id: str) -> Flavor:
    return flavor_logic.get_flavor(acting(request), flavor_id=fields.require_id(flavor_id, "flavor"))
