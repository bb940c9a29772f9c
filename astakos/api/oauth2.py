"""The token endpoint of the OAuth2 provider (identity contract 1.9)."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase

from astakos.logic import oauth2
from synnefo.api import ApiService, json_response
from synnefo.errors import BadRequest, SynnefoError

_FORM = "application/x-www-form-urlencoded"
_MAX_BODY = 64 << 10
#: Faults that the logic gives no code of RFC 6749 for.
_CODES = {401: "invalid_client", 429: "temporarily_unavailable", 503: "temporarily_unavailable"}


def _nobody(request: HttpRequest) -> None:
    return None


class OAuth2Api(ApiService):
    """The dialect of RFC 6749, with the old clients' ``exception`` beside ``error``."""

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render *error* as RFC 6749 asks, 5.2."""
        known = (error.data or {}).get("error")
        code = known or _CODES.get(error.code, "server_error" if error.code >= 500 else "invalid_request")
        response = json_response({"error": code, "exception": error.message}, status=error.code)
        for header, value in error.headers.items():
            response[header] = value
        return response


api = OAuth2Api("oauth2", _nobody, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def require_tls(request: HttpRequest) -> None:
    """Refuse plain http, on which codes and secrets would be read by others."""
    if settings.OAUTH2_REQUIRE_TLS and not settings.DEBUG and not request.is_secure():
        raise BadRequest("OAuth2 works over TLS only", data={"error": "invalid_request"})


def token(request: HttpRequest) -> HttpResponse:
    """Exchange an authorization code for an access token."""
    require_tls(request)
    issued = oauth2.exchange(
        _form(request),
        authorization=request.headers.get("Authorization", ""),
        address=request.META.get("REMOTE_ADDR", ""),
    )
    return json_response(
        {
            "access_token": issued.token,
            "token_type": issued.token_type,
            "expires_in": issued.expires_in,
        }
    )


def _form(request: HttpRequest) -> dict[str, str]:
    if (request.content_type or "").lower() != _FORM:
        raise BadRequest(f"The content type must be {_FORM}")
    body = request.read(_MAX_BODY + 1)
    if len(body) > _MAX_BODY:
        raise BadRequest("The request body is too large")
    try:
        fields = QueryDict(body, encoding="utf-8")
        for name in fields:
            if len(fields.getlist(name)) > 1:
                raise BadRequest("A parameter is given twice")
        return {name: str(value) for name, value in fields.items()}
    except UnicodeDecodeError:
        raise BadRequest("The request body is not a form") from None
