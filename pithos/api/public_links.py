"""Requests to published objects, by anybody (object-storage contract 12)."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from pithos.api import downloads
from pithos.api.headers import request_headers
from pithos.api.user_content import protect
from pithos.logic.objects import show_public
from pithos.web import public_pages
from synnefo.errors import BadRequest, Forbidden, NotFound


def head(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Show a published object."""
    view = show_public(public_id=_checked(public_id), expand=False)
    return protect(downloads.head_reply(request_headers(request), view, downloads.public_headers(view)))


def show(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Send a published object's data, or a browser the page about it."""
    view = show_public(public_id=_checked(public_id))
    page = public_pages.page_for(request, view)
    if page is not None:
        return page
    try:
        return protect(
            downloads.data_reply(request, request_headers(request), view, downloads.public_headers(view))
        )
    except (BadRequest, Forbidden):
        raise NotFound("There is no such public object.") from None


def _checked(public_id: str) -> str:
    if "\0" in public_id or len(public_id) > 256:
        raise NotFound("There is no such public object.")
    return public_id
