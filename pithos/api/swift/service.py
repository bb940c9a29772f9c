"""Swift's dialect: who is calling, and what every reply has (object-storage contract 22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos import public as astakos
from pithos.api.headers import request_headers
from pithos.api.service import PithosService, caller
from pithos.api.swift import cors
from pithos.logic.acl import ANONYMOUS, ReferredCredentials
from pithos.logic.permissions import SignedCredentials
from pithos.logic.temp_urls import TempUrl
from pithos.logic.temp_urls import check as check_temp_url
from synnefo import request_id
from synnefo.api import request_token, unreadable
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound, SynnefoError, Unauthorized

__all__ = ["caller", "is_form", "is_signed", "json_wanted", "service", "timestamp"]

_SIGNATURE = "temp_url_sig"
#: Parameters and headers that reach other objects than the one whose address was signed.
_BEYOND = ("extract-archive", "bulk-delete", "version-id")
_BEYOND_HEADERS = frozenset(("x-copy-from", "destination"))
#: What access lists may allow to who has no token; browsers ask for OPTIONS without one.
_OPEN_VERBS = ("GET", "HEAD", "OPTIONS")


def authenticate(request: HttpRequest) -> Credentials:
    """Return whose token the request carries; whoever has none is nobody, unless the address is signed.

    What nobody may do, access lists decide (``pithos.logic.permissions``). Raises Unauthorized.
    """
    token = request_token(request) or request.META.get("HTTP_X_STORAGE_TOKEN")
    if token:
        return _referred(request, astakos.authenticate(token))
    if is_signed(request):
        return _signed(request)
    found = astakos.session_credentials(request)
    if found is not None:
        return found
    if request.method in _OPEN_VERBS or is_form(request):
        return _referred(request, ANONYMOUS)
    raise Unauthorized("Access denied: no token.")


def _referred(request: HttpRequest, credentials: Credentials) -> Credentials:
    """Return the credentials, with the page that a browser says it was on when it asked."""
    referrer = request.META.get("HTTP_REFERER", "")
    if not referrer or request.method not in _OPEN_VERBS:
        return credentials
    known = {item.name: getattr(credentials, item.name) for item in fields(credentials)}
    return ReferredCredentials(**known, referrer=referrer[:2048])


def is_form(request: HttpRequest) -> bool:
    """Tell whether the request is a form with files, which carries its own signature."""
    return request.method == "POST" and request.META.get("CONTENT_TYPE", "").startswith("multipart/form-data")


def is_signed(request: HttpRequest) -> bool:
    """Tell whether the request's address is signed."""
    return _SIGNATURE in request.GET or "temp_url_expires" in request.GET


def _signed(request: HttpRequest) -> SignedCredentials:
    """Return what the signed address opens; raise for what reaches beyond one object."""
    if any(name in request.GET for name in _BEYOND) or request.GET.get("multipart-manifest", "get") != "get":
        raise BadRequest("A signed address takes data only.")
    if not _BEYOND_HEADERS.isdisjoint(request_headers(request)):
        raise BadRequest("A signed address takes data only.")
    before, separator, rest = request.path.partition("/AUTH_")
    account, _, place = rest.partition("/")
    container, _, name = place.partition("/")
    if not separator or not name:
        raise Unauthorized("Only addresses of objects can be signed.")
    signed = TempUrl(
        signature=request.GET.get(_SIGNATURE, "")[:256],
        expires=request.GET.get("temp_url_expires", "")[:64],
        prefix=request.GET.get("temp_url_prefix"),
        ip_range=request.GET.get("temp_url_ip_range", "")[:64],
    )
    check_temp_url(
        signed,
        method=request.method or "",
        account=account,
        container=container,
        name=name,
        roots=(before, "/v1"),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    return SignedCredentials(
        user_id=account,
        container=container,
        name=name if signed.prefix is None else signed.prefix,
        is_prefix=signed.prefix is not None,
    )


def json_wanted(request: HttpRequest) -> bool:
    """Tell whether a report is to be JSON."""
    return "application/json" in request.META.get("HTTP_ACCEPT", "")


def timestamp(moment: datetime) -> str:
    """Return a time as Swift writes it: epoch seconds with five digits of fraction."""
    return f"{moment.timestamp():.5f}"


class SwiftService(PithosService):
    """Faults without an account's secrets, a challenge where a token is missing, and ids of transactions."""

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render a fault; who is nobody is asked for a token instead of being told what is there."""
        known = getattr(request, "credentials", None)
        nobody = isinstance(known, Credentials) and not known.user_id
        if nobody and isinstance(error, Forbidden | NotFound):
            error = Unauthorized("Access denied: no token.")
        response = super().fault(request, error)
        if response.status_code == 401:
            response["WWW-Authenticate"] = f'Swift realm="{settings.BRANDING_SERVICE_NAME}"'
        return response

    def _answer(self, request: HttpRequest, produce: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        def marked() -> HttpResponseBase:
            try:
                response = produce()
            except SynnefoError as error:
                response = self.fault(request, error)
            except SuspiciousOperation as error:
                response = self.fault(request, unreadable(error))
            cors.mark(request, response)
            return response

        response = super()._answer(request, marked)
        response["X-Trans-Id"] = response["X-Openstack-Request-Id"] = request_id.current()
        return response


service = SwiftService("swift", authenticate)


def plain(text: str, *, status: int = 200) -> HttpResponse:
    """Return a short text."""
    return HttpResponse(text, status=status, content_type="text/plain; charset=UTF-8")
