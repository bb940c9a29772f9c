"""The overview: a tile for each service, what waits, and first steps (web contract 8, A-02)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from astakos.logic.authentication import identity_of
from astakos.logic.catalog import cloud_bar_services
from astakos.logic.profile import pending_tasks
from astakos.logic.usage import ResourceUsage, usage_of
from astakos.web.access import part_of_page, terms_required, user_of
from astakos.web.navigation import page_of, title_of
from branding import facts
from branding.templatetags.ui import quantity_text
from synnefo.credentials import Credentials
from synnefo.units import INF

_ICONS = {"astakos": "shield", "pithos": "folder", "cyclades": "server"}
_DESCRIPTIONS = {
    "astakos": gettext_lazy("Your account, the tokens of your programs, your quota and your projects."),
    "pithos": gettext_lazy("Store files, share them with others and publish them."),
    "cyclades": gettext_lazy("Virtual machines, their disks, networks and public addresses."),
}
_FACTS = {
    "pithos": ("pithos.diskspace",),
    "cyclades": ("cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.floating_ip"),
    "astakos": (),
}
#: Share of a limit from which the overview warns.
_NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Tile:
    """One service on the overview."""

    name: str
    title: str
    description: str
    icon: str
    picture: str
    url: str
    facts: list[tuple[str, str]]
    is_available: bool


@require_safe
@terms_required
def tiles(request: HttpRequest) -> HttpResponse:
    """Answer the tiles alone, for the open page that refreshes them."""
    usages = {usage.name: usage for usage in usage_of(user_of(request))}
    return part_of_page(request, "astakos/parts/tiles.html", {"tiles": _tiles(request, usages)})


@require_safe
@terms_required
def landing(request: HttpRequest) -> HttpResponse:
    """Show the services with what the user has in them."""
    user = user_of(request)
    usages = {usage.name: usage for usage in usage_of(user)}
    used_anything = any(usage.total for usage in usages.values())
    context = {
        "tiles": _tiles(request, usages),
        "tasks": pending_tasks(user),
        "warnings": _warnings(list(usages.values())),
        "is_first_visit": not used_anything,
        "has_quota": any(bar.limit for usage in usages.values() for bar in usage.bars),
    }
    return render(request, "astakos/landing.html", context)


def _tiles(request: HttpRequest, usages: dict[str, ResourceUsage]) -> list[Tile]:
    shown = [service for service in cloud_bar_services() if service["dashboard"].get("show")]
    credentials = identity_of(user_of(request).pk).credentials()
    shown.sort(key=lambda service: (service["dashboard"].get("order", 1000), service["name"]))
    return [_tile(request, service, usages, credentials) for service in shown]


def _tile(
    request: HttpRequest, service: dict[str, Any], usages: dict[str, ResourceUsage], credentials: Credentials
) -> Tile:
    name = str(service["name"])
    known = facts.of_component(name, credentials)
    is_account = name == "astakos"
    given = service["dashboard"].get("description", "")
    is_default = given == f"{name.title()} service"
    return Tile(
        name=name,
        title=title_of(service),
        description=str(_DESCRIPTIONS.get(name, given)) if is_default else str(given),
        icon=_ICONS.get(name, "cloud"),
        picture=str(service["dashboard"].get("icon", "")),
        url=reverse("astakos-profile") if is_account else page_of(service, request),
        facts=[*known.pairs, *(_fact(usages[key]) for key in _FACTS.get(name, ()) if key in usages)],
        is_available=known.is_available,
    )


def _fact(usage: ResourceUsage) -> tuple[str, str]:
    limit = min(sum(bar.limit for bar in usage.bars), INF)
    used = quantity_text(usage.total, usage.unit)
    if limit >= INF:
        return usage.title, used
    return usage.title, _("%(used)s of %(limit)s") % {"used": used, "limit": quantity_text(limit, usage.unit)}


def _warnings(usages: list[ResourceUsage]) -> list[dict[str, str]]:
    return [
        {"resource": usage.title, "project": bar.project_name}
        for usage in usages
        for bar in usage.bars
        if 0 < bar.limit < INF and bar.usage + bar.pending >= _NEARLY_FULL * bar.limit
    ]


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/landing/?$", landing, name="astakos-landing"),
    re_path(r"^ui/landing/tiles$", tiles, name="astakos-landing-tiles"),
]
