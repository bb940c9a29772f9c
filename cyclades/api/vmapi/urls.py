"""URLs of the vmapi dialect, relative to its root (compute contract 17)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from cyclades.logic import vmapi
from synnefo.api import ApiService
from synnefo.errors import Unauthorized


def _refuse(request: HttpRequest) -> object:
    raise Unauthorized("This service knows no users")


service = ApiService("vmapi", _refuse)


def server_params(request: HttpRequest, key: str) -> HttpResponse:
    """Give out a new server's parameters, once; whoever knows the key is its node."""
    return HttpResponse(vmapi.take(key), content_type="application/json")


urlpatterns: list[URLPattern] = [
    service.route(r"v1\.0/server-params/(?P<key>[0-9a-fA-F-]{36})/?", auth=False, GET=server_params),
    service.catch_all(),
]
