"""The dialect itself: tokens in the header only, Keystone's faults, links and times."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from astakos.api.service import AccountApi
from astakos.logic.authentication import Identity, authenticate_identity
from astakos.logic.v3_auth import DOMAIN_ID, DOMAIN_NAME, TEXT_OF_REFUSAL
from synnefo.api import json_response, request_token
from synnefo.errors import NotFound, SynnefoError, Unauthorized

DOMAIN = {"id": DOMAIN_ID, "name": DOMAIN_NAME}
#: Keystone's titles, by status.
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


def token_of(request: HttpRequest) -> str:
    """Return the token of the request's header; addresses end up in logs, so it is not looked for there."""
    token = request_token(request)
    if token is None:
        raise Unauthorized(TEXT_OF_REFUSAL)
    return token


def user_of(request: HttpRequest) -> Identity:
    """Return the user whose token, of either dialect, the request carries; raises ``Unauthorized``."""
    return authenticate_identity(token_of(request), unknown=TEXT_OF_REFUSAL)


class KeystoneApi(AccountApi):
    """JSON only, one fault shape, and 404 for paths that do not exist."""

    def __init__(self) -> None:
        super().__init__("identity-v3")
        self.authenticate = user_of
        self.headers["Vary"] = "X-Auth-Token"

    def unknown(self) -> SynnefoError:
        """Return Keystone's answer to an unknown path."""
        return NotFound("The resource could not be found.")

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render *error* in Keystone's shape."""
        title = _TITLES.get(error.code, "Internal Server Error")
        body = {"error": {"code": error.code, "message": error.message, "title": title}}
        response = json_response(body, status=error.code, headers=error.headers)
        if error.code == 401:
            response.setdefault("WWW-Authenticate", f'Keystone uri="{base_url()}"')
        return response


api = KeystoneApi()


def base_url() -> str:
    """Return the address below which this dialect hangs, without a slash at its end."""
    return f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/identity/v3"


def moment(value: dt.datetime) -> str:
    """Return *value* as Keystone writes it: microseconds always, and ``Z``."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def collection(name: str, path: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the body of a list; there are no pages, as every list here is one user's own or short."""
    links = {"self": f"{base_url()}/{path}", "previous": None, "next": None}
    return {name: items, "links": links}
