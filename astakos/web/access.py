"""Who may see a page, decided in one place (identity contract 6.1; web contract 3)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from astakos.logic.auth_providers import missing_required
from astakos.logic.terms import unsigned_terms
from astakos.models import Component, User
from astakos.web.sessions import page_user

P = ParamSpec("P")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
#: An address with another one inside it, escaped twice.
_MAX_ADDRESS = 16_000
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def login_required(view: View[P]) -> View[P]:
    """Send anonymous visitors to the login page and back (access class L)."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if page_user(request) is None:
            return session_ended() if is_fragment(request) else to_login(request)
        return view(request, *args, **kwargs)

    return guarded


def terms_required(view: View[P]) -> View[P]:
    """Ask as well that the terms in force are signed (access class T)."""

    @functools.wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if unsigned_terms(user_of(request)):
            return HttpResponse(status=403) if is_fragment(request) else to_terms(request)
        return view(request, *args, **kwargs)

    return guarded


def ready_required(view: View[P]) -> View[P]:
    """Ask as well that the account has every login method that the site requires (access class R)."""

    @functools.wraps(view)
    @terms_required
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        missing = missing_required(user_of(request))
        if missing:
            names = ", ".join(provider.title for provider in missing)
            text = _("Your account needs another login method first: %(names)s.") % {"names": names}
            messages.error(request, text)
            return HttpResponseRedirect(reverse("astakos-profile"))
        return view(request, *args, **kwargs)

    return guarded


def is_fragment(request: HttpRequest) -> bool:
    """Tell whether a script of an open page asks, which wants the changing part of the page only."""
    return request.headers.get("HX-Request") == "true"


def session_ended() -> HttpResponse:
    """Return what tells an open page that its session has ended; a login page would land in its middle."""
    return HttpResponse(status=401, headers={"HX-Trigger": "session-expired", "Cache-Control": "no-store"})


def part_of_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Return the part of an open page that refreshes itself."""
    response = render(request, template, context)
    response["Cache-Control"] = "private, no-store"
    return with_fragments(response)


def with_fragments(response: HttpResponse) -> HttpResponse:
    """Tell caches that the same address answers pages and their parts."""
    patch_vary_headers(response, ["HX-Request", "Cookie", "Accept-Language"])
    return response


def user_of(request: HttpRequest) -> User:
    """Return the user of a page behind ``login_required``."""
    user = page_user(request)
    assert user is not None
    return user


def to_login(request: HttpRequest) -> HttpResponse:
    """Return the way to the login page, which leads back here."""
    return _away(request, "astakos-login")


def to_terms(request: HttpRequest) -> HttpResponse:
    """Return the way to the terms of use, which leads back here."""
    return _away(request, "astakos-terms", show_form="")


def _away(request: HttpRequest, name: str, **extra: str) -> HttpResponse:
    # Only a page that was asked for can be returned to; after a POST that is its form.
    back = request.get_full_path() if request.method in ("GET", "HEAD") else request.path
    query = urlencode({"next": back, **extra}, quote_via=quote)
    return HttpResponseRedirect(f"{reverse(name)}?{query}")


def safe_next(request: HttpRequest, default: str) -> str:
    """Return the ``next`` parameter if it leads to a place of ours, else *default*.

    Allowed are paths of this site, and http addresses of this host, of hosts at or below
    ``ASTAKOS_COOKIE_DOMAIN`` and of registered components.
    """
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_safe_address(wanted, host=request.get_host()) else default


def is_safe_address(address: str, *, host: str) -> bool:
    """Tell whether a browser may be sent to *address*; *host* is what this request was sent to."""
    if (
        not address
        or len(address) > _MAX_ADDRESS
        or "\\" in address
        or not address.isprintable()
        or " " in address
    ):
        return False
    try:
        parts = urlsplit(address)
        name = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if not parts.scheme and not parts.netloc:
        return address.startswith("/") and not address.startswith("//")
    if parts.scheme not in ("http", "https") or not name or "@" in parts.netloc:
        return False
    if not address.startswith(f"{parts.scheme}://"):
        return False
    if not _HOST.match(parts.netloc):
        return False
    domain = (settings.ASTAKOS_COOKIE_DOMAIN or "").lstrip(".").lower()
    if domain and (name == domain or name.endswith(f".{domain}")):
        return True
    return parts.netloc.lower() in {host.lower(), *_component_hosts()}


def _component_hosts() -> set[str]:
    urls = Component.objects.values_list("url", "base_url")
    return {urlsplit(url).netloc.lower() for pair in urls for url in pair if url} - {""}
