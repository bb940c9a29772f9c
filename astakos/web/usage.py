"""Usage and quota, as a page, as the part of it that refreshes itself, and as CSV (web contract 9)."""

from __future__ import annotations

import csv
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from astakos.logic.usage import ResourceUsage, UsageBar, resource_titles, usage_of, worst_of
from astakos.web import project_commands
from astakos.web.access import part_of_page, ready_required, session_ended, user_of
from astakos.web.sessions import page_user
from branding.templatetags.ui import quantity_text

_MOST_RELEVANT = 255


@require_safe
@ready_required
def show(request: HttpRequest) -> HttpResponse:
    """Show the user's resources with a bar for each project."""
    everything = usage_of(user_of(request))
    context = {
        "usages": _presented(_filtered(request)),
        "projects": sorted(
            {(bar.project, bar.project_name) for usage in everything for bar in usage.bars},
            key=lambda item: item[1],
        ),
        "resources": resource_titles().items(),
        "chosen": _filters(request),
        "interval": settings.ASTAKOS_USAGE_UPDATE_INTERVAL,
        "query": request.GET.urlencode(),
        "is_empty": not everything,
        "commands": project_commands.of_usage(),
    }
    return render(request, "astakos/usage.html", context)


@require_safe
def fragment(request: HttpRequest) -> HttpResponse:
    """Answer the bars alone, for the page that shows them; 401 when the session has ended."""
    if page_user(request) is None:
        return session_ended()
    return part_of_page(request, "astakos/parts/usage_bars.html", {"usages": _presented(_filtered(request))})


@require_safe
def chip(request: HttpRequest) -> HttpResponse:
    """Answer what is closest to its limit, for the top of every page; 401 when the session has ended."""
    user = page_user(request)
    if user is None:
        return session_ended()
    return part_of_page(request, "astakos/parts/quota_chip.html", {"worst": worst_of(usage_of(user))})


@require_safe
def strip(request: HttpRequest) -> HttpResponse:
    """Answer the bars of the resources that one page is about; 401 when the session has ended."""
    user = page_user(request)
    if user is None:
        return session_ended()
    wanted = set(request.GET.get("resources", "")[:_MOST_RELEVANT].split(","))
    usages = [usage for usage in usage_of(user) if usage.name in wanted]
    return part_of_page(request, "astakos/parts/quota_strip.html", {"usages": _presented(usages)})


@require_safe
@ready_required
def export(request: HttpRequest) -> HttpResponse:
    """Answer the same numbers as CSV, exact and without units."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="usage.csv"'
    writer = csv.writer(response)
    writer.writerow(["resource", "unit", "project", "project_name", "usage", "pending", "limit", "left"])
    for usage in _filtered(request):
        for bar in usage.bars:
            numbers = [bar.usage, bar.pending, bar.limit, bar.left]
            writer.writerow(
                [*map(_harmless, (usage.name, usage.unit, bar.project, bar.project_name)), *numbers]
            )
    return response


def _harmless(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _filters(request: HttpRequest) -> dict[str, Any]:
    return {
        "project": request.GET.get("project", "")[:_MOST_RELEVANT],
        "resource": request.GET.get("resource", "")[:_MOST_RELEVANT],
        "only_used": request.GET.get("only_used", "") == "1",
    }


def _filtered(request: HttpRequest) -> list[ResourceUsage]:
    return usage_of(user_of(request), **_filters(request))


def _presented(usages: list[ResourceUsage]) -> list[dict[str, Any]]:
    return [
        {"usage": usage, "bars": [{"bar": bar, "note": _note(bar, usage.unit)} for bar in usage.bars]}
        for usage in usages
    ]


def _note(bar: UsageBar, unit: str) -> str:
    if bar.project_is_tighter and bar.usage + bar.pending < bar.limit:
        return _("only %(amount)s left in the whole project") % {"amount": quantity_text(bar.left, unit)}
    return ""


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/resources/?$", show, name="astakos-usage"),
    re_path(r"^ui/resources/bars$", fragment, name="astakos-usage-bars"),
    re_path(r"^ui/resources/chip$", chip, name="astakos-quota-chip"),
    re_path(r"^ui/resources/strip$", strip, name="astakos-quota-strip"),
    re_path(r"^ui/resources\.csv$", export, name="astakos-usage-csv"),
]
