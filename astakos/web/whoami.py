"""Who is signed in, for scripts of our own pages: they cannot read the cookie (web contract 2.2)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import URLPattern, re_path

from astakos.web.sessions import page_user
from synnefo import clock
from synnefo.api import json_response
from synnefo.errors import Forbidden

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Cookie, Sec-Fetch-Site",
}


def whoami(request: HttpRequest) -> HttpResponse:
    """Answer who has the session, without any secret; other sites' scripts are refused."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Only pages of this site may ask who is signed in")
    user = page_user(request)
    if user is None:
        return json_response({"authenticated": False}, headers=_HEADERS)
    described = {
        "authenticated": True,
        "uuid": user.uuid,
        "email": user.email,
        "name": user.realname,
        "expires": clock.isoformat(user.auth_token_expires),
    }
    return json_response(described, headers=_HEADERS)


urlpatterns: list[URLPattern] = [re_path(r"^ui/whoami/?$", whoami, name="astakos-whoami")]
