"""The OAuth2 provider's question: may this program act for you? (identity contract 1.9)."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, re_path, reverse

from astakos.api.oauth2 import api, require_tls, token
from astakos.logic import oauth2
from astakos.logic.oauth2 import AuthorizationRequest
from astakos.logic.terms import unsigned_terms
from astakos.web.sessions import page_user
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest
from synnefo.texts import sentence

#: What is taken over from a request, in this order; unknown parameters go no further.
PARAMETERS = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method",
)  # fmt: skip


def authorize(request: HttpRequest) -> HttpResponse:
    """Send the browser back to the client with a code, after asking the user where that is due."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    require_tls(request)
    parameters = _parameters(request)
    asked = oauth2.read_request(
        parameters,
        authorization=request.headers.get("Authorization", ""),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    user = page_user(request)
    if user is None:
        return _away(request, "astakos-login", parameters)
    if unsigned_terms(user):
        return _away(request, "astakos-terms", parameters)
    acting = Credentials(user_id=user.uuid)
    decision = request.POST.get("decision", "")
    if asked.client.is_trusted or decision == "allow":
        return leave(oauth2.grant(acting, user=user, request=asked))
    if decision == "deny":
        return leave(oauth2.denial(asked))
    return _ask(request, asked, parameters)


def _parameters(request: HttpRequest) -> dict[str, str]:
    source = request.POST if request.method == "POST" else request.GET
    for name in PARAMETERS:
        if len(source.getlist(name)) > 1:
            raise BadRequest(sentence("'%(name)s' is given twice", name=name))
    return {name: source[name] for name in PARAMETERS if name in source}


def _away(request: HttpRequest, name: str, parameters: dict[str, str]) -> HttpResponse:
    back = f"{request.path}?{urlencode(parameters, quote_via=quote)}"
    query = urlencode({"next": back}, quote_via=quote)
    return HttpResponseRedirect(f"{reverse(name)}?{query}")


def _ask(request: HttpRequest, asked: AuthorizationRequest, parameters: dict[str, str]) -> HttpResponse:
    context = {"asked": asked, "host": target_of(asked.redirect_uri), "parameters": parameters}
    response = render(request, "astakos/consent.html", context)
    response["Cache-Control"] = "no-store"
    # Browsers apply the policy of the form to where its answer leads.
    response.csp_sources = {"form-action": (source_of(asked.redirect_uri),)}  # type: ignore[attr-defined]
    return response


def target_of(address: str) -> str:
    """Return what of *address* tells people where they are sent: the host, or the scheme of a program."""
    parts = urlsplit(address)
    return parts.netloc if parts.scheme in ("http", "https") else f"{parts.scheme}://"


def source_of(address: str) -> str:
    """Return *address* as a source of the content security policy."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else f"{parts.scheme}:"


def leave(address: str) -> HttpResponse:
    """Send the browser to *address*, whatever its scheme; it was judged before, and carries a secret."""
    response = HttpResponse(status=302)
    response["Location"] = address
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _path(name: str) -> str:
    prefix = settings.OAUTH2_ENDPOINT_PREFIX.strip("/")
    return f"{prefix}/{name.strip('/')}" if prefix else name.strip("/")


urlpatterns: list[URLPattern] = [
    re_path(rf"^{_path(settings.OAUTH2_AUTHORIZATION_ENDPOINT)}/?$", authorize, name="astakos-oauth2-auth"),
    api.route(rf"{_path(settings.OAUTH2_TOKEN_ENDPOINT)}/?", POST=token, auth=False),
]
