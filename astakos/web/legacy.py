"""Addresses of old releases (web contract 19.1), and the one that the service hangs at."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, re_path, reverse
from django.utils.encoding import iri_to_uri
from django.utils.http import escape_leading_slashes
from django.views.decorators.http import require_safe


@require_safe
def im(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Lead from ``/im/…`` to the page of the same name."""
    query = request.META.get("QUERY_STRING", "")
    target = reverse("astakos-index") + rest.lstrip("/")
    return HttpResponseRedirect(escape_leading_slashes(iri_to_uri(target + (f"?{query}" if query else ""))))


@require_safe
def base(request: HttpRequest) -> HttpResponse:
    """Lead from the address that the service hangs at to its pages (identity contract 0.1)."""
    return HttpResponseRedirect(reverse("astakos-index"))


urlpatterns: list[URLPattern] = [
    re_path(r"^$", base, name="astakos-base"),
    re_path(r"^im(?:/(?P<rest>[\s\S]*))?$", im, name="astakos-im"),
]
