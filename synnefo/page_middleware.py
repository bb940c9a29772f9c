"""Django's middleware of pages, which API calls pass by: no session, cookie or message is theirs.

An API call is recognised by its path, before anything looks at it; what hangs below the roots of the APIs
never reads ``request.session`` or ``request.user``.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware import csrf

GetResponse = Callable[[HttpRequest], HttpResponseBase]

#: First parts of the API paths below each service's base path.
API_ROOTS = {
    "astakos": ("identity", "account"),
    "pithos": ("object-store",),
    "cyclades": ("compute", "network", "image", "volume", "vmapi"),
    "stats": ("v1.0",),
}


def api_prefixes() -> tuple[str, ...]:
    """Return what the paths of API calls begin with."""
    return tuple(
        f"{urlsplit(getattr(settings, f'{service.upper()}_BASE_URL')).path.rstrip('/')}/{root}/"
        for service, roots in API_ROOTS.items()
        for root in roots
    )


class _PagesOnly:
    """Lets API calls pass; everything else goes through the class that this is mixed into."""

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)  # type: ignore[call-arg]  # the class mixed into
        self._api_prefixes = api_prefixes()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request*, with the middleware's doings if it is for a page."""
        if request.path_info.startswith(self._api_prefixes):
            answer: HttpResponseBase = self.get_response(request)  # type: ignore[attr-defined]  # as above
            return answer
        return super().__call__(request)  # type: ignore[misc]  # as above


class SessionMiddleware(_PagesOnly, sessions.SessionMiddleware):
    """Sessions, for pages."""


class CsrfViewMiddleware(_PagesOnly, csrf.CsrfViewMiddleware):
    """Protection of forms; API views are exempt by themselves, so the check of views stays in force."""


class AuthenticationMiddleware(_PagesOnly, auth.AuthenticationMiddleware):
    """``request.user``, for pages."""


class MessageMiddleware(_PagesOnly, messages.MessageMiddleware):
    """Messages of one page to the next."""
