"""The variables that other sites' cloud bar starts from, as one script (web contract 4.2)."""

from __future__ import annotations

import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import URLPattern, re_path
from django.views.decorators.http import require_safe


@require_safe
def variables(request: HttpRequest) -> HttpResponse:
    """Answer the script that other sites load in front of cloudbar.js."""
    base = f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui"
    location = settings.CLOUDBAR_LOCATION or request.build_absolute_uri(static("branding/"))
    values = {
        "CLOUDBAR_LOCATION": location,
        "CLOUDBAR_COOKIE_NAME": settings.CLOUDBAR_COOKIE_NAME or settings.ASTAKOS_COOKIE_NAME,
        "CLOUDBAR_SERVICES_URL": settings.CLOUDBAR_SERVICES_URL or f"{base}/get_services",
        "CLOUDBAR_MENU_URL": settings.CLOUDBAR_MENU_URL or f"{base}/get_menu",
        "CLOUDBAR_HEIGHT": settings.CLOUDBAR_HEIGHT,
        "CLOUDBAR_BACKGROUND_COLOR": settings.CLOUDBAR_BACKGROUND_COLOR,
    }
    lines = [f"window.{name} = {json.dumps(value)};\n" for name, value in values.items()]
    response = HttpResponse("".join(lines), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


urlpatterns: list[URLPattern] = [
    re_path(r"^ui/cloudbar-settings\.js$", variables, name="astakos-cloudbar-settings")
]
