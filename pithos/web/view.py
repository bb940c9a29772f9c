"""Viewing files in a browser, which has no token: access by OAuth2 (object-storage contract 20.3).

The browser is sent to identity and comes back with a code, which is exchanged for a token that is good for
this one file and a few seconds. State, verifier and token travel in cookies that scripts cannot read; none of
them is ever part of an address that is kept.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from typing import Literal
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from astakos import public as astakos
from branding.errors import fault_page
from pithos.api import objects
from pithos.api.service import authenticate
from pithos.api.user_content import UserContentService, protect
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound, SynnefoError, Unauthorized

log = logging.getLogger("pithos.view")

#: Signing in may take a while; the code that it ends with is short-lived by itself.
_SIGN_IN_SECONDS = 1800
#: Parameters of the way there and back; ``access_token`` is what older sites put there.
_PASSING = ("code", "state", "error", "error_description", "access_token")
_REFUSED = "Access to this file could not be established. Open its address again."


class ViewService(UserContentService):
    """Faults of the view are pages, because people look at them."""

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render a fault as a page, and what only programs provoke as the API does."""
        if error.code in (304, 405, 412, 416):
            return super().fault(request, error)
        page = fault_page(request, error)
        if request.method == "HEAD" and isinstance(page, HttpResponse):
            page.content = b""
        return page


service = ViewService("pithos-view", authenticate)


def show(request: HttpRequest, account: str, container: str, name: str) -> HttpResponseBase:
    """Send a file to the browser, or the browser to where it gets access."""
    scope = quote(f"/{account}/{container}/{name}")
    if "code" in request.GET or "error" in request.GET:
        return _arrive(request)
    credentials = _credentials(request, scope)
    if credentials is None:
        return _depart(request, scope)
    request.credentials = credentials  # type: ignore[attr-defined]
    answer = objects.head if request.method == "HEAD" else objects.show
    response = protect(answer(request, account, container, name))
    response["Vary"] = "Cookie"
    return response


def _credentials(request: HttpRequest, scope: str) -> Credentials | None:
    """Return whose token for exactly this file the browser has, None if it has no valid one."""
    token = request.COOKIES.get(_cookie_name(request.path))
    if not token:
        return None
    try:
        access = astakos.validate_oauth2_token(token, belongs_to=scope)
    except NotFound:
        return None
    return access.credentials if access.scope == scope else None


def _depart(request: HttpRequest, scope: str) -> HttpResponseBase:
    """Send the browser to identity, with a cookie that only the same browser brings back."""
    client, _ = _client()
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    target = astakos.oauth2_authorization_url(
        client=client, redirect_uri=_own_address(request), scope=scope, state=state, verifier=verifier
    )
    response = _redirect(target)
    _set_cookie(request, response, _cookie_name(request.path, state), verifier, _SIGN_IN_SECONDS)
    return response


def _arrive(request: HttpRequest) -> HttpResponseBase:
    """Exchange the code for a token, put it into a cookie and let the browser ask for the file again."""
    client, secret = _client()
    name = _cookie_name(request.path, request.GET.get("state", ""))
    verifier = request.COOKIES.get(name)
    code = request.GET.get("code")
    if not verifier or not code:
        raise Forbidden(_REFUSED)
    address = _own_address(request)
    try:
        issued = astakos.exchange_oauth2_code(
            client=client,
            secret=secret,
            code=code,
            redirect_uri=address,
            verifier=verifier,
            address=request.META.get("REMOTE_ADDR", ""),
        )
    except (BadRequest, Unauthorized) as error:
        log.warning("no token for viewing a file: %s", error.message)
        raise Forbidden(_REFUSED) from error
    response = _redirect(address)
    response.delete_cookie(name, path=_cookie_path(request), samesite=_same_site(request))
    _set_cookie(request, response, _cookie_name(request.path), issued.token, issued.expires_in)
    return response


def _client() -> tuple[str, str]:
    client, secret = settings.PITHOS_OAUTH2_CLIENT_CREDENTIALS
    if not client or not secret:
        log.warning("PITHOS_OAUTH2_CLIENT_CREDENTIALS is not set, so files cannot be viewed in a browser")
        raise NotFound("Viewing files in the browser is not set up on this site.")
    return client, secret


def _own_address(request: HttpRequest) -> str:
    """Return the address of this file's view without what the way there and back added."""
    query = request.GET.copy()
    for name in _PASSING:
        query.pop(name, None)
    rest = f"?{query.urlencode()}" if query else ""
    return f"{request.scheme}://{request.get_host()}{quote(request.path)}{rest}"


def _redirect(address: str) -> HttpResponseRedirect:
    response = HttpResponseRedirect(address)
    response["Referrer-Policy"] = "no-referrer"
    return response


def _cookie_name(path: str, state: str | None = None) -> str:
    """Return the name of the cookie for a file's token, or of one attempt to get it."""
    text = path if state is None else f"{path}\0{state}"
    kind = "token" if state is None else "state"
    return f"pithos_view_{kind}_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _cookie_path(request: HttpRequest) -> str:
    """Return the path below which all files' views are; browsers spell the rest in several ways."""
    return f"{request.path.partition('/ui/view/')[0]}/ui/view/"


def _set_cookie(request: HttpRequest, response: HttpResponse, name: str, value: str, seconds: int) -> None:
    """Set a cookie that also a frame in a page of the main host gets, where browsers allow that."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=_cookie_path(request),
        secure=request.is_secure(),
        httponly=True,
        samesite=_same_site(request),
    )


def _same_site(request: HttpRequest) -> Literal["None", "Lax"]:
    return "None" if request.is_secure() else "Lax"
