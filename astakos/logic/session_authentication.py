"""REST calls of our own pages: the browser's session instead of a token (web contract 2.4).

A session counts only together with the CSRF token in a header, for reading as well: other sites' links and
forms can't send that header, and their scripts can't read the token.
"""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, RejectRequest

from astakos.logic.authentication import Identity, identity_of
from astakos.models import User

_OWN_PAGES = (None, "same-origin")


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check of origin and token, without regard to the verb."""

    def passes(self, request: HttpRequest) -> bool:
        """Tell whether the header holds the token that belongs to the cookie."""
        self.process_request(request)
        if "HTTP_ORIGIN" in request.META and not self._origin_verified(request):  # type: ignore[attr-defined]  # the stubs lack it
            return False
        try:
            self._check_token(request)  # type: ignore[attr-defined]  # as above
        except RejectRequest:
            return False
        return True


_csrf_check = _CsrfCheck(lambda request: HttpResponse())


def session_identity(request: HttpRequest) -> Identity | None:
    """Return who is signed in, in the browser whose page sent this; ``None`` if the request proves nobody.

    Raises ``Unauthorized`` for users who may not use the APIs now (inactive, terms unsigned).
    """
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key or not request.headers.get("X-CSRFToken"):
        return None
    if request.headers.get("Sec-Fetch-Site") not in _OWN_PAGES or not _csrf_check.passes(request):
        return None
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = auth.get_user(request)
    return identity_of(user.pk) if isinstance(user, User) else None
