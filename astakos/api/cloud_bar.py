"""The two lists of the cloud bar, as JSON or JSONP (identity contract 6.3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from astakos.api.jsonp import jsonp_response
from astakos.logic.catalog import cloud_bar_services
from astakos.web.cookie_middleware import repair


def get_services(request: HttpRequest) -> HttpResponse:
    """List the components with pages."""
    return _answer(request, cloud_bar_services())


def get_menu(request: HttpRequest) -> HttpResponse:
    """List the account menu of whoever has the session.

    Other sites' scripts may load this as JSONP and would learn the e-mail address; they get the menu of a
    visitor unless they belong to this cloud.
    """
    base = f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui"
    user = getattr(request, "user", None)
    is_foreign_script = "callback" in request.GET and not _is_ours(_asking_host(request), request)
    if user is None or not user.is_authenticated or is_foreign_script:
        return _menu(request, [{"url": f"{base}/", "name": "Sign in"}])
    header: dict[str, Any] = {"url": f"{base}/", "name": user.email}
    if request.GET.get("location", "").startswith(base):
        header["is_active"] = True
    landing = {"url": f"{base}/landing", "name": "Dashboard"}
    return _menu(request, [header, landing, {"url": f"{base}/logout", "name": "Sign out"}])


def _menu(request: HttpRequest, items: list[dict[str, Any]]) -> HttpResponse:
    """Answer a menu, which pages of other components load: the cookie between them is corrected here too."""
    response = _answer(request, items)
    if hasattr(request, "user"):
        repair(request, response)
    return response


def _answer(request: HttpRequest, items: list[dict[str, Any]]) -> HttpResponse:
    response = jsonp_response(request, items)
    if "callback" not in request.GET:
        _allow_origin(request, response)
    patch_vary_headers(response, ["Cookie", "Origin", "Referer"])
    return response


def _asking_host(request: HttpRequest) -> str:
    """Return the host whose page asks, as far as the browser says."""
    return urlsplit(request.headers.get("Origin") or request.headers.get("Referer") or "").netloc.lower()


def _is_ours(host: str, request: HttpRequest) -> bool:
    domain = (settings.ASTAKOS_COOKIE_DOMAIN or "").lstrip(".").lower()
    name = host.partition(":")[0]
    if domain and (name == domain or name.endswith(f".{domain}")):
        return True
    known = {urlsplit(str(service["url"])).netloc.lower() for service in cloud_bar_services()}
    return bool(host) and host in {request.get_host().lower(), *known}


def _allow_origin(request: HttpRequest, response: HttpResponse) -> None:
    """Let scripts of this cloud's other hosts read the answer, session and all."""
    origin = request.headers.get("Origin", "")
    if origin in settings.CLOUDBAR_ALLOWED_ORIGINS or _is_ours(urlsplit(origin).netloc.lower(), request):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Credentials"] = "true"
