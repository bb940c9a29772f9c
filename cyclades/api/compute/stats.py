"""Links to the graphs of a server (compute contract 9.5)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from cyclades.api.compute.dialect import acting
from cyclades.api.compute.servers import parse_server_id
from cyclades.logic import stats_links
from synnefo.api import json_response


def show(request: HttpRequest, server_id: str) -> HttpResponse:
    """Answer with the addresses of four graphs."""
    number = parse_server_id(server_id)
    links = stats_links.links_of(acting(request), server_id=number)
    refresh = settings.STATS_REFRESH_PERIOD
    return json_response({"stats": {"serverRef": number, "refresh": refresh, **links}})
