"""The two lists of the cloud bar, as JSON or JSONP (identity contract 6.3)."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from astakos.logic.catalog import cloud_bar_services
from synnefo.api import json_response
from synnefo.errors import BadRequest

_CALLBACK = re.compile(r"[A-Za-z_$][\w$]{0,63}(?:\.[A-Za-z_$][\w$]{0,63}){0,4}", re.ASCII)


def get_services(request: HttpRequest) -> HttpResponse:
    """List the components with pages."""
    return _answer(request, cloud_bar_services())


def get_menu(request: HttpRequest) -> HttpResponse:
    """List the account menu of whoever has the session."""
    base = f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui"
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return _answer(request, [{"url": f"{base}/", "name": "Sign in"}])
    header: dict[str, Any] = {"url": f"{base}/", "name": user.email}
    if request.GET.get("location", "").startswith(base):
        header["is_active"] = True
    landing = {"url": f"{base}/landing", "name": "Dashboard"}
    return _answer(request, [header, landing, {"url": f"{base}/logout", "name": "Sign out"}])


def _answer(request: HttpRequest, items: list[dict[str, Any]]) -> HttpResponse:
    callback = request.GET.get("callback")
    if callback is None:
        response = json_response(items)
    elif _CALLBACK.fullmatch(callback):
        # A comment in front keeps the answer from being taken for a file of another type.
        script = f"/**/{callback}({json.dumps(items)})"
        response = HttpResponse(script, content_type="application/javascript; charset=UTF-8")
    else:
        raise BadRequest("'callback' must be a JavaScript identifier")
    response["X-Content-Type-Options"] = "nosniff"
    return response
