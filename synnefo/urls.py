"""Where each service hangs: the path part of its base URL (identity contract 0.1)."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path, re_path

from synnefo import health


def base_path(base_url: str) -> str:
    """Return the path of *base_url* without slashes at its ends; may be empty."""
    return urlsplit(base_url).path.strip("/")


def _service_patterns(*, at_root: bool) -> list[URLPattern | URLResolver]:
    """Return the services that hang below a path of their own, or those that hang at the root."""
    prefixes = {
        service: base_path(getattr(settings, f"{service.upper()}_BASE_URL"))
        for service in settings.SYNNEFO_SERVICES
    }
    return [
        path(f"{prefix}/" if prefix else "", include(f"{service}.urls"))
        for service, prefix in prefixes.items()
        if at_root is not bool(prefix)
    ]


# Patterns are tried one after another, and nearly every request is for a service.
urlpatterns: list[URLPattern | URLResolver] = [
    *_service_patterns(at_root=False),
    path("healthz", health.live),
    path("readyz", health.ready),
    path("metrics", health.metrics),
    re_path(r"^$", health.landing),
    re_path(r"^im(?:/.*)?$", health.old_pages),
    path("", include("branding.urls")),
    *_service_patterns(at_root=True),
]

handler400 = "branding.errors.bad_request"
handler403 = "branding.errors.forbidden"
handler404 = "branding.errors.not_found"
handler500 = "branding.errors.server_error"
