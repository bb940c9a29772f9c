"""Addresses of pages that lack their last slash (object-storage contract 1)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseRedirect

from pithos.api.service import PithosService, authenticate

service = PithosService("pithos-pages", authenticate)


def add(request: HttpRequest) -> HttpResponseRedirect:
    """Send a browser to the same address with a slash, query included."""
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{request.path}/{'?' if query else ''}{query}")
