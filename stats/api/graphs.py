"""Pictures of what a server uses, for whoever has its token (ganeti-backend contract 12.3)."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from stats.logic import graphs
from synnefo.api import ApiService
from synnefo.errors import Unauthorized


def _refuse(request: HttpRequest) -> object:
    raise Unauthorized("This service knows no users")


service = ApiService("stats", _refuse)


def show(graph: str, request: HttpRequest, token: str) -> HttpResponse:
    """Answer with the picture *graph* of the instance that *token* names."""
    picture = graphs.picture(graph=graph, token=token)
    age = {"Cache-Control": f"max-age={settings.STATS_REFRESH_PERIOD}"}
    return HttpResponse(picture, content_type="image/png", headers=age)


def patterns() -> list[URLPattern]:
    """Return one route for each graph."""
    routes = [
        service.route(rf"v1\.0/{graph}/(?P<token>[^/]+)/?", auth=False, GET=partial(show, graph))
        for graph in graphs.GRAPHS
    ]
    return [*routes, service.catch_all()]
