"""Liveness, readiness and metrics of a web process, and what / answers."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render


def live(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process serves requests."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 when database and cache work, else 503 naming what does not."""
    checks = {"database": _works(_database), "cache": _works(_cache)}
    healthy = all(checks.values())
    body = {
        "status": "ok" if healthy else "failing",
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


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus metrics to the hosts of ``METRICS_ALLOWED_HOSTS``."""
    if request.META.get("REMOTE_ADDR") not in settings.METRICS_ALLOWED_HOSTS:
        return HttpResponse(status=403)
    return HttpResponse(
        prometheus_client.generate_latest(), content_type=prometheus_client.CONTENT_TYPE_LATEST
    )


def landing(request: HttpRequest) -> HttpResponse:
    """Answer the landing page, or lead where the administrator wants / to lead."""
    if settings.WEBPROJECT_ROOT_REDIRECT:
        return HttpResponseRedirect(settings.WEBPROJECT_ROOT_REDIRECT)
    services = {
        name: getattr(settings, f"{name.upper()}_BASE_URL").rstrip("/") for name in settings.SYNNEFO_SERVICES
    }
    return render(request, "landing.html", {"services": services})
