"""The cookie that tells pages of other components who is signed in (identity contract 1.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from astakos.logic.tokens import user_token
from astakos.models import User
from astakos.web.sessions import page_user, remember_method

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class CookieMiddleware:
    """Make the cookie agree with the session on every page's answer, whatever the page did.

    No redirect is needed: the answer that finds a difference carries the correction. Views of an
    ``ApiService`` are left alone; they know nothing of sessions.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request*, correcting the cookie if a page was asked for."""
        response = self.get_response(request)
        if getattr(request, "is_page", False):
            repair(request, response)
            remember_method(request, response)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Note whether a page is asked for."""
        request.is_page = not hasattr(view, "verbs")  # type: ignore[attr-defined]


def repair(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set or delete the cookie where it differs from what the session says."""
    present = request.COOKIES.get(settings.ASTAKOS_COOKIE_NAME)
    user = page_user(request) if settings.ASTAKOS_COOKIE_ENABLED else None
    if user is not None and request.method not in ("GET", "HEAD"):
        # What was sent may have renewed the token or shut the user out.
        user = User.objects.filter(pk=user.pk, is_active=True).first()
    if user is None:
        if present is not None:
            response.delete_cookie(
                settings.ASTAKOS_COOKIE_NAME, domain=settings.ASTAKOS_COOKIE_DOMAIN, samesite="Lax"
            )
        return
    value = _value(user)
    if present is None or unquote(present) != unquote(value):
        response.set_cookie(
            settings.ASTAKOS_COOKIE_NAME,
            value,
            expires=user.auth_token_expires,
            path="/",
            domain=settings.ASTAKOS_COOKIE_DOMAIN,
            secure=settings.ASTAKOS_COOKIE_SECURE,
            httponly=settings.ASTAKOS_COOKIE_HTTPONLY,
            samesite="Lax",
        )


def _value(user: User) -> str:
    who = user.username if settings.ASTAKOS_TRANSLATE_UUIDS else user.uuid
    return quote(f"{who}|{user_token(user)}", safe="")
