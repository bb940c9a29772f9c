"""Handing a native client the user's id and token, after asking the user (identity contract 1.8)."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse
from django.utils.translation import gettext as _

from astakos.logic import token_renewal
from astakos.logic.terms import unsigned_terms
from astakos.logic.tokens import user_token
from astakos.models import User
from astakos.web.access import is_safe_address
from astakos.web.consent import leave, source_of, target_of
from astakos.web.sessions import log_out, page_user
from synnefo.credentials import Credentials

_MAX_ADDRESS = 5000
#: Whatever an administrator allows: browsers run these themselves.
_NEVER = frozenset({"javascript", "data", "vbscript", "file", "blob"})


def login(request: HttpRequest) -> HttpResponse:
    """Ask whether the program behind ``next`` may have the token, then hand it over."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    source = request.POST if request.method == "POST" else request.GET
    following = source.get("next", "")
    if not following:
        return _text(400, _("The parameter 'next' is missing."))
    if not _is_allowed(request, following):
        return _text(403, _("The address in 'next' is not allowed."))
    if request.method != "POST" and source.get("force") == "" and page_user(request) is not None:
        log_out(request)
    user = page_user(request)
    if user is None:
        return _away(request, "astakos-login", following)
    if unsigned_terms(user):
        return _away(request, "astakos-terms", following)
    decision = request.POST.get("decision", "")
    if decision == "allow":
        return leave(_with_token(following, _renewed(request, user)))
    if decision == "deny":
        return HttpResponseRedirect(settings.ASTAKOS_LOGIN_SUCCESS_URL or reverse("astakos-landing"))
    return _ask(request, following)


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _is_allowed(request: HttpRequest, address: str) -> bool:
    if len(address) > _MAX_ADDRESS or not address.isprintable() or "\\" in address or " " in address:
        return False
    try:
        scheme = urlsplit(address).scheme
        address.encode()
    except ValueError:
        return False
    if scheme in _NEVER or scheme not in settings.ASTAKOS_REDIRECT_ALLOWED_SCHEMES:
        return False
    return scheme not in ("http", "https") or is_safe_address(address, host=request.get_host())


def _renews(request: HttpRequest) -> bool:
    source = request.POST if request.method == "POST" else request.GET
    return source.get("renew") == ""


def _away(request: HttpRequest, name: str, following: str) -> HttpResponse:
    fields = {"next": following} | ({"renew": ""} if _renews(request) else {})
    back = request.build_absolute_uri(f"{request.path}?{urlencode(fields, quote_via=quote)}")
    response = HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': back}, quote_via=quote)}")
    response["Cache-Control"] = "no-store"
    return response


def _ask(request: HttpRequest, following: str) -> HttpResponse:
    context = {"next": following, "target": target_of(following), "renews": _renews(request)}
    response = render(request, "astakos/weblogin.html", context)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    # Browsers apply the policy of the form to where its answer leads.
    response.csp_sources = {"form-action": (source_of(following),)}  # type: ignore[attr-defined]
    return response


def _renewed(request: HttpRequest, user: User) -> User:
    if _renews(request):
        token_renewal.renew_token(
            Credentials(user_id=user.uuid),
            user_id=user.pk,
            end_sessions_besides=request.session.session_key,
        )
        user.refresh_from_db()
    return user


def _with_token(address: str, user: User) -> str:
    """Return *address* with its query replaced by the user's uuid and token."""
    parts = urlsplit(address)
    query = urlencode({"uuid": user.uuid, "token": user_token(user)})
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def with_slash(request: HttpRequest) -> HttpResponse:
    """Lead to the same address with a slash at its end."""
    return HttpResponseRedirect(request.path + "/", status=301)


urlpatterns: list[URLPattern] = [
    re_path(r"^weblogin$", with_slash),
    re_path(r"^weblogin/login$", login, name="astakos-weblogin"),
]
