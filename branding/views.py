"""The brand's style sheet and manifest, and where visitors' choices are sent to."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from branding import closed_notices, identity
from branding import preferences as choices


@require_safe
def theme(request: HttpRequest) -> HttpResponse:
    """Answer the style sheet with this cloud's colours; its address changes with its content."""
    version = identity.theme_version()
    response = HttpResponse(identity.theme_css(), content_type="text/css; charset=utf-8")
    response["ETag"] = f'"{version}"'
    is_pinned = request.GET.get("v") == version
    response["Cache-Control"] = "public, max-age=31536000, immutable" if is_pinned else "public, max-age=60"
    return response


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Answer what a browser needs to install the dashboard like an application."""
    colors = {"bg": "#ffffff", "accent": "#0b5cad"} | settings.BRANDING_COLORS.get("light", {})
    content = {
        "name": settings.BRANDING_SERVICE_NAME,
        "short_name": settings.BRANDING_SERVICE_NAME[:12],
        "start_url": "/",
        "display": "standalone",
        "background_color": colors["bg"],
        "theme_color": colors["accent"],
        "icons": [
            {"src": static("branding/images/icon-192.png"), "sizes": "192x192", "type": "image/png"},
            {"src": static("branding/images/icon.svg"), "sizes": "any", "type": "image/svg+xml"},
        ],
    }
    response = JsonResponse(content, content_type="application/manifest+json")
    response["Cache-Control"] = "public, max-age=3600"
    return response


@require_POST
def close_notice(request: HttpRequest) -> HttpResponse:
    """Hide a message of the staff until the browser is closed, and go back to where it was read."""
    response = _back(request)
    closed_notices.close(request, response, request.POST.get("notice", ""))
    return response


def _back(request: HttpRequest) -> HttpResponse:
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/"):
        back = "/"
    response = HttpResponseRedirect(back)
    response.status_code = 303
    patch_vary_headers(response, ["Cookie"])
    return response


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep a choice of theme, language, shortcuts, columns or rows and go back to where it was made."""
    response = _back(request)
    changes = {
        key: request.POST[key][:16]
        for key in ("theme", "language", "shortcuts", "rows")
        if key in request.POST
    }
    if "table" in request.POST:
        shown = set(request.POST.getlist("shown"))
        hidden = [column for column in request.POST.getlist("column") if column not in shown]
        now = choices.of_request(request).hidden
        changes["hidden"] = choices.with_hidden(now, request.POST["table"], hidden)
    choices.save(request, response, changes)
    return response
