"""The object storage dialect: its entry point and who is calling."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos import public as astakos
from synnefo.api import ApiService, request_token
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError, Unauthorized


def authenticate(request: HttpRequest) -> Credentials:
    """Return whose token the request carries, in the query or in one of two headers; raise Unauthorized."""
    token = request_token(request, allow_query=True) or request.META.get("HTTP_X_STORAGE_TOKEN")
    if not token:
        raise Unauthorized("Access denied: no token.")
    return astakos.authenticate(token)


def caller(request: HttpRequest) -> Credentials:
    """Return the credentials that authentication left on the request."""
    credentials = request.credentials  # type: ignore[attr-defined]
    assert isinstance(credentials, Credentials)
    return credentials


def optional_caller(request: HttpRequest) -> Credentials | None:
    """Return the credentials, or None where a token is not required and none was sent."""
    if request_token(request, allow_query=True) or request.META.get("HTTP_X_STORAGE_TOKEN"):
        return authenticate(request)
    return None


class PithosService(ApiService):
    """The dialect's faults: XML where asked for, and no body for HEAD."""

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render a fault; a HEAD reply has no body."""
        response = super().fault(request, error)
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.content = b""
        return response


service = PithosService("pithos", authenticate, xml_faults=True)
public_service = PithosService("pithos-public", authenticate, unknown_path="There is no such public object.")
