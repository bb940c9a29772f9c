"""Numbers of users and of what they use (identity contract 1.7)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from astakos.api.admin_users import in_groups
from astakos.api.jsonp import jsonp_response
from astakos.api.service import AccountApi, user_of
from astakos.logic import statistics
from astakos.logic.authentication import Identity
from synnefo.api import json_response
from synnefo.errors import Forbidden, NotFound

api = AccountApi("admin")


def permitted_user_of(request: HttpRequest) -> Identity:
    """Return a user in one of ``ASTAKOS_ADMIN_STATS_PERMITTED_GROUPS``; others are ``Forbidden``."""
    identity = user_of(request)
    if not in_groups(identity, settings.ASTAKOS_ADMIN_STATS_PERMITTED_GROUPS):
        raise Forbidden("")
    return identity


def index(request: HttpRequest) -> HttpResponse:
    """Answer that there is nothing at the root."""
    raise NotFound("There is nothing here")


def show(request: HttpRequest) -> HttpResponse:
    """Show how many users there are, to everybody."""
    count = statistics.count_users()
    return jsonp_response(request, {"users": {"total": count.total, "active": count.active}})


def show_in_detail(request: HttpRequest) -> HttpResponse:
    """Show all numbers by login method."""
    return json_response(statistics.as_document(statistics.collect()))


urlpatterns = [
    api.route(r"", GET=index, auth=False),
    api.route(r"stats/?", GET=show, auth=False),
    api.route(r"stats/detail/?", GET=show_in_detail, auth=permitted_user_of),
    api.catch_all(),
]
