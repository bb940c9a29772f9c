"""Who looks at a page of the shell; the identity service says it (web contract 3)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode

from synnefo.credentials import Credentials
from synnefo.errors import Unauthorized

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Credentials, P], HttpResponse]
Guarded = Callable[Concatenate[HttpRequest, P], HttpResponse]


class TermsUnsigned(Exception):
    """The visitor has to accept the terms of use first."""


#: Answers who is signed in, ``None`` for nobody; raises ``TermsUnsigned``.
Source = Callable[[HttpRequest], Credentials | None]
_sources: list[Source] = []


def provide(source: Source) -> None:
    """Register what knows the user of a session; the last one wins."""
    _sources.append(source)


def credentials_of(request: HttpRequest) -> Credentials | None:
    """Return whose session this is; without a session cookie no session is opened.

    Raises ``TermsUnsigned``.
    """
    if not _sources or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    return _sources[-1](request)


def page(view: View[P]) -> Guarded[P]:
    """Give *view* the visitor's credentials; send others to where they can change that.

    Scripts of an open page get 401 and 403 instead, which they can tell from an answer.
    """
    return _guarded(view, is_page=True)


def part(view: View[P]) -> Guarded[P]:
    """Give *view* the visitor's credentials; answer 401 or 403 to others, who are never people."""
    return _guarded(view, is_page=False)


def _guarded(view: View[P], *, is_page: bool) -> Guarded[P]:
    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        for_people = is_page and not is_script(request)
        try:
            credentials = credentials_of(request)
        except TermsUnsigned:
            return _away(request, "astakos-terms", show_form="") if for_people else _refused(403)
        if credentials is None:
            return _away(request, "astakos-login") if for_people else _refused(401)
        return view(request, credentials, *args, **kwargs)

    return guarded


def is_script(request: HttpRequest) -> bool:
    """Tell whether a script of an open page asks, and not the browser for a page."""
    if request.headers.get("HX-Request") == "true":
        return True
    return "text/html" not in request.headers.get("Accept", "text/html")


def _refused(status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["HX-Trigger"] = "session-expired"
    return HttpResponse(status=status, headers=headers)


def _away(request: HttpRequest, way: str, **query: str) -> HttpResponse:
    try:
        address = reverse(way)
    except NoReverseMatch:
        raise Unauthorized("Sign in first") from None
    # Only a page that was asked for can be returned to; after a POST that is its form.
    back = request.get_full_path() if request.method in ("GET", "HEAD") else request.path
    return HttpResponseRedirect(f"{address}?{urlencode({'next': back, **query})}")
