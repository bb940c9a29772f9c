"""The object storage dialect: its entry point and who is calling."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos import public as astakos
from pithos.api.rendering import reply_format
from pithos.conditions import http_date
from synnefo import clock
from synnefo.api import ApiService, fault_response, request_token
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError, Unauthorized


def authenticate(request: HttpRequest) -> Credentials:
    """Return whose token the request carries, in the query or in one of two headers, or whose page sent it.

    Raises Unauthorized.
    """
    token = request_token(request, allow_query=True) or request.META.get("HTTP_X_STORAGE_TOKEN")
    if not token:
        found = astakos.session_credentials(request)
        if found is not None:
            return found
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
        """Render a fault, in XML where that is asked for; a HEAD reply has no body.

        An object's name may end in ".xml" and asks for nothing.
        """
        response = fault_response(request, error, xml=self.xml_faults and reply_format(request) == "xml")
        if request.method == "HEAD" and isinstance(response, HttpResponse):
            response.content = b""
        return response

    def _answer(self, request: HttpRequest, produce: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        """Answer, and say that the answer is old already: it depends on who asks and when."""
        response = super()._answer(request, produce)
        response.setdefault("Expires", http_date(clock.now()))
        return response


service = PithosService("pithos", authenticate, xml_faults=True)
