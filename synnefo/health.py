"""Liveness, readiness and metrics of a web process, and what / answers."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import prometheus_client
from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

_ENDPOINTS = (
    ("pithos", "Object storage", "object-store/v1"),
    ("cyclades", "Compute", "compute/v2.0"),
    ("cyclades", "Network", "network/v2.0"),
    ("cyclades", "Images", "image/v1.0"),
)


@csrf_exempt
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process serves requests."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database works, else 503; names what does not work.

    Without the cache requests are only slower, and a front server that takes every host out of service
    because their common cache is away would make an outage of it.
    """
    checks = {"database": _works(_database), "cache": _works(_cache)}
    healthy = checks["database"]
    body = {
        "status": "failing" if not healthy else "ok" if checks["cache"] else "degraded",
        "checks": {k: "ok" if v else "failing" for k, v in checks.items()},
    }
    return JsonResponse(body, status=200 if healthy else 503)


def _works(check: Callable[[], None]) -> bool:
    try:
        check()
    except (DatabaseFailure, OSError, ValueError):
        return False
    return True


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _cache() -> None:
    cache.set("readyz", "ok", 10)
    if cache.get("readyz") != "ok":
        raise OSError("the cache does not keep values")


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus metrics to the hosts of ``METRICS_ALLOWED_HOSTS``."""
    if request.META.get("REMOTE_ADDR") not in settings.METRICS_ALLOWED_HOSTS:
        return HttpResponse(status=403)
    return HttpResponse(
        prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST
    )


def landing(request: HttpRequest) -> HttpResponse:
    """Lead to the dashboard or where the administrator wants; without either, list the services."""
    if settings.WEBPROJECT_ROOT_REDIRECT:
        return HttpResponseRedirect(settings.WEBPROJECT_ROOT_REDIRECT)
    bases = {
        name: getattr(settings, f"{name.upper()}_BASE_URL").rstrip("/") for name in settings.SYNNEFO_SERVICES
    }
    if "astakos" in bases:
        return HttpResponseRedirect(f"{urlsplit(bases['astakos']).path}/ui/")
    services = [
        {"name": label, "url": f"{bases[name]}/{path}"} for name, label, path in _ENDPOINTS if name in bases
    ]
    return render(request, "landing.html", {"services": services})


def old_pages(request: HttpRequest) -> HttpResponse:
    """Lead from the addresses of old releases' account pages, /im/…, to those of today."""
    base = urlsplit(settings.ASTAKOS_BASE_URL).path.rstrip("/")
    return HttpResponseRedirect(f"{base}/ui{request.get_full_path().removeprefix('/im')}")
