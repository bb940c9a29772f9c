"""Limits, quota sets and usage as Nova's clients read them (compute contract 22.4)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from cyclades.api.compute.dialect import END, acting
from cyclades.logic import limits as limit_logic
from cyclades.logic.limits import Limit, ServerUsage
from synnefo import clock
from synnefo.api import ApiService, json_response
from synnefo.errors import BadRequest, Forbidden

#: How far back the usage is shown when the client names no period.
_PERIOD = dt.timedelta(days=28)


def limit_routes(service: ApiService) -> list[URLPattern | URLResolver]:
    """Return the routes of limits, quota sets and usage."""
    route = service.route
    project = r"(?P<project>[\w:.-]+?)"
    return [
        route(f"limits{END}", GET=show_limits),
        route(f"os-quota-sets/{project}{END}", GET=show_quota_set, PUT=refuse, DELETE=refuse),
        route(f"os-quota-sets/{project}/detail{END}", GET=show_quota_details),
        route(f"os-quota-sets/{project}/defaults{END}", GET=show_quota_set),
        route(f"os-simple-tenant-usage{END}", GET=list_usages),
        route(f"os-simple-tenant-usage/{project}{END}", GET=show_usage),
    ]


def show_limits(request: HttpRequest) -> HttpResponse:
    """Answer with the caller's limits in the default project, or in one they name."""
    credentials = acting(request)
    project = request.GET.get("tenant_id") or request.GET.get("project_id")
    limits = limit_logic.project_limits(credentials, project=project)
    absolute = {
        "maxTotalInstances": limits["instances"].maximum,
        "totalInstancesUsed": limits["instances"].used,
        "maxTotalCores": limits["cores"].maximum,
        "totalCoresUsed": limits["cores"].used,
        "maxTotalRAMSize": limits["ram"].maximum,
        "totalRAMUsed": limits["ram"].used,
        "maxTotalFloatingIps": limits["floating_ips"].maximum,
        "totalFloatingIpsUsed": limits["floating_ips"].used,
        "maxServerMeta": settings.CYCLADES_VM_MAX_METADATA,
        "maxImageMeta": settings.PITHOS_RESOURCE_MAX_METADATA,
        "maxPersonality": settings.MAX_PERSONALITY,
        "maxPersonalitySize": settings.MAX_PERSONALITY_SIZE,
        "maxTotalKeypairs": settings.USERDATA_MAX_SSH_KEYS_PER_USER,
        "maxSecurityGroups": 1,
        "maxSecurityGroupRules": 0,
        "totalSecurityGroupsUsed": 1,
        "maxServerGroups": 0,
        "maxServerGroupMembers": 0,
        "totalServerGroupsUsed": 0,
    }
    return json_response({"limits": {"rate": [], "absolute": absolute}})


def show_quota_set(request: HttpRequest, project: str) -> HttpResponse:
    """Answer with the maxima of the caller in a project."""
    limits = _quota_set(request, project)
    maxima: dict[str, Any] = {name: limit.maximum for name, limit in limits.items()}
    return json_response({"quota_set": {"id": project, **maxima}})


def show_quota_details(request: HttpRequest, project: str) -> HttpResponse:
    """Answer with maxima, what is in use and what is reserved."""
    limits = _quota_set(request, project)
    details: dict[str, Any] = {
        name: {"limit": limit.maximum, "in_use": limit.used, "reserved": limit.pending}
        for name, limit in limits.items()
    }
    return json_response({"quota_set": {"id": project, **details}})


def _quota_set(request: HttpRequest, project: str) -> dict[str, Limit]:
    credentials = acting(request)
    limits = limit_logic.project_limits(credentials, project=project)
    keys = Limit(settings.USERDATA_MAX_SSH_KEYS_PER_USER, limit_logic.keypairs_used(credentials))
    return {
        **{name: limits[name] for name in ("instances", "cores", "ram", "floating_ips")},
        "key_pairs": keys,
        "metadata_items": Limit(settings.CYCLADES_VM_MAX_METADATA, 0),
        "injected_files": Limit(settings.MAX_PERSONALITY, 0),
        "injected_file_content_bytes": Limit(settings.MAX_PERSONALITY_SIZE, 0),
        "injected_file_path_bytes": Limit(255, 0),
        "fixed_ips": Limit(limit_logic.UNLIMITED, 0),
        "security_groups": Limit(1, 1),
        "security_group_rules": Limit(0, 0),
        "server_groups": Limit(0, 0),
        "server_group_members": Limit(0, 0),
    }


def refuse(request: HttpRequest, project: str) -> HttpResponse:
    """Refuse: quota is changed by the projects' administrators, with the identity service."""
    raise Forbidden("Quota is granted through projects of the identity service.")


def list_usages(request: HttpRequest) -> HttpResponse:
    """Answer with the usage of every project of the caller that has had servers."""
    start, end = _period(request)
    detailed = request.GET.get("detailed", "").lower() in ("1", "true")
    used = limit_logic.server_usage(acting(request), start=start, end=end)
    usages = [_render_usage(p, items, start, end, detailed=detailed) for p, items in sorted(used.items())]
    return json_response({"tenant_usages": usages})


def show_usage(request: HttpRequest, project: str) -> HttpResponse:
    """Answer with what the caller's servers in a project used."""
    start, end = _period(request)
    used = limit_logic.server_usage(acting(request), start=start, end=end, project=project).get(project)
    rendered = _render_usage(project, used, start, end, detailed=True) if used else {}
    return json_response({"tenant_usage": rendered})


def _period(request: HttpRequest) -> tuple[dt.datetime, dt.datetime]:
    end = _moment(request, "end") or clock.now()
    earliest = dt.datetime.min.replace(tzinfo=dt.UTC)
    return _moment(request, "start") or max(end, earliest + _PERIOD) - _PERIOD, end


def _moment(request: HttpRequest, name: str) -> dt.datetime | None:
    """Return a date of the query in UTC; Nova's clients leave the zone away."""
    text = request.GET.get(name)
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"'{name}' must be a date or a moment in ISO 8601") from error


def _render_usage(
    project: str, used: list[ServerUsage], start: dt.datetime, end: dt.datetime, *, detailed: bool
) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "tenant_id": project,
        "start": _naive(start),
        "stop": _naive(end),
        "total_hours": sum(item.hours for item in used),
        "total_vcpus_usage": sum(item.hours * item.flavor.cpu for item in used),
        "total_memory_mb_usage": sum(item.hours * item.flavor.ram for item in used),
        "total_local_gb_usage": sum(item.hours * item.flavor.disk for item in used),
    }
    if detailed:
        usage["server_usages"] = [_render_server(item) for item in used]
    return usage


def _render_server(item: ServerUsage) -> dict[str, Any]:
    server, flavor = item.server, item.flavor
    ended = item.ended_at or clock.now()
    return {
        "instance_id": str(server.pk),
        "name": server.name,
        "tenant_id": server.project,
        "flavor": flavor.name,
        "vcpus": flavor.cpu,
        "memory_mb": flavor.ram,
        "local_gb": flavor.disk,
        "hours": item.hours,
        "started_at": _naive(server.created),
        "ended_at": None if item.ended_at is None else _naive(item.ended_at),
        "state": "terminated" if server.deleted else "active",
        "uptime": max(int((ended - server.created).total_seconds()), 0),
    }


def _naive(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()
