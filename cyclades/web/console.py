"""The page with a server's screen, which anyone may load and nobody can use without a password (8.4)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils import translation

from branding import preferences
from cyclades.web import console_address
from synnefo.content_security import add_sources

_MAX_NAME = 50


def show(request: HttpRequest) -> HttpResponse:
    """Show the page; its script takes the password out of the address before anything else."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    query = request.GET.dict()
    place = console_address.place_in(query)
    context = {
        "place": place,
        "is_signed": place is not None and console_address.is_signed(place, query),
        "machine": query.get("machine", "")[:_MAX_NAME],
        "hostname": query.get("machine_hostname", "")[:_MAX_NAME],
    }
    with translation.override(preferences.language_of(request)):
        response = render(request, "cyclades/console.html", context)
    if place is not None:
        add_sources(response, {"connect-src": (place.policy_source,)})
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    return response
