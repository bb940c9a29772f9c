"""Numbers about the service, public and detailed (compute contract 18.3)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from astakos import public as astakos
from cyclades.logic import statistics
from cyclades.logic.backends import get_backend
from synnefo.api import ApiService, json_response
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound

service = ApiService("cyclades-admin", astakos.authenticate_request, plain_addresses=True)


def permitted(request: HttpRequest) -> Credentials:
    """Return a user with a role of ``ADMIN_STATS_PERMITTED_GROUPS``; others are ``Forbidden``."""
    credentials: Credentials = astakos.authenticate_request(request)
    if not credentials.roles & set(settings.ADMIN_STATS_PERMITTED_GROUPS):
        raise Forbidden("")
    return credentials


def show(request: HttpRequest) -> HttpResponse:
    """Answer with the numbers that everybody may know."""
    return json_response(statistics.public_statistics())


def show_simple(request: HttpRequest) -> HttpResponse:
    """Answer with three counts for a front page."""
    return json_response(statistics.simple_statistics())


def show_detail(request: HttpRequest) -> HttpResponse:
    """Answer with everything, or with what is about one cluster."""
    name = request.GET.get("backend")
    try:
        backend = get_backend(backend_id=name) if name else None
    except NotFound as error:
        raise BadRequest(f"There is no backend '{name}'") from error
    return json_response(statistics.detailed_statistics(backend=backend))


urlpatterns: list[URLPattern | URLResolver] = [
    service.route("stats/?", auth=False, GET=show),
    service.route("stats/simple/?", auth=False, GET=show_simple),
    service.route("stats/detail/?", auth=permitted, GET=show_detail),
    service.catch_all(),
]
