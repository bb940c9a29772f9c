"""Identity's calls that old clients send to object storage (object-storage contract 20.2).

The original relayed them to another host. Here identity is in the same project, so its own views answer: same
status, same headers, same body, and no request that a server makes on a client's word.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, resolve
from django.urls.exceptions import Resolver404

from pithos.api.service import PithosService, authenticate
from synnefo.errors import NotFound

#: Where identity's calls are, below its base URL; its views tell which verbs they take.
_IDENTITY = "/identity/v2.0/"
_ACCOUNT = "/account/v1.0/"

service = PithosService("pithos-proxy", authenticate)


def user_catalogs(request: HttpRequest) -> HttpResponseBase:
    """Translate user ids to names and back."""
    return _answer(request, f"{_ACCOUNT}user_catalogs")


def feedback(request: HttpRequest) -> HttpResponseBase:
    """Send a message to the site's support."""
    return _answer(request, f"{_ACCOUNT}feedback")


def identity(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Answer whatever identity's v2.0 interface answers."""
    return _answer(request, f"{_IDENTITY}{path}")


def interface(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Send a browser to identity's own pages."""
    query = request.META.get("QUERY_STRING", "")
    target = f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/ui/{quote(path)}"
    return HttpResponseRedirect(f"{target}?{query}" if query else target)


def _answer(request: HttpRequest, path: str) -> HttpResponseBase:
    try:
        match = resolve(path, urlconf="astakos.urls")
    except Resolver404:
        raise NotFound("There is no such call.") from None
    # Cookies are not relayed: a token alone says who calls.
    request.COOKIES = {}
    request.META.pop("HTTP_COOKIE", None)
    request.path = request.path_info = path
    request.resolver_match = match
    answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return answer


def patterns() -> list[URLPattern]:
    """Return the routes below PITHOS_PROXY_PREFIX."""
    prefix = re.escape(settings.PITHOS_PROXY_PREFIX.strip("/"))
    return [
        service.route(rf"{prefix}/account/user_catalogs/?", POST=user_catalogs, auth=False),
        service.route(rf"{prefix}/account/feedback/?", POST=feedback, auth=False),
        service.route(rf"{prefix}/identity/(?P<path>[\s\S]*)", GET=identity, POST=identity, auth=False),
        service.route(rf"{prefix}/ui(?:/(?P<path>[\s\S]*))?", GET=interface, HEAD=interface, auth=False),
    ]
