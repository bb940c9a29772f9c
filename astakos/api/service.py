"""The dialect of the account and identity APIs: tokens, standard headers (identity contract 0.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from astakos.logic.authentication import (
    TEXT_WITHOUT_CREDENTIALS,
    Identity,
    ServiceIdentity,
    authenticate_component,
    authenticate_identity,
)
from astakos.logic.session_authentication import session_identity
from synnefo import clock
from synnefo.api import ApiService, request_token
from synnefo.errors import Unauthorized


def _token(request: HttpRequest) -> str:
    token = request_token(request, allow_query=True)
    if token is None:
        raise Unauthorized(TEXT_WITHOUT_CREDENTIALS)
    return token


def user_of(request: HttpRequest) -> Identity:
    """Return the user whose token the request carries, or whose page sent it; raises ``Unauthorized``."""
    if request_token(request, allow_query=True) is None:
        found = session_identity(request)
        if found is not None:
            return found
    return authenticate_identity(_token(request))


def component_of(request: HttpRequest) -> ServiceIdentity:
    """Return the component whose token the request carries; raises ``Unauthorized``."""
    return authenticate_component(_token(request))


def identity_of(request: HttpRequest) -> Identity:
    """Return the user that the route's authentication found."""
    identity: Identity = request.credentials  # type: ignore[attr-defined]  # the dispatcher puts it there
    return identity


def service_of(request: HttpRequest) -> ServiceIdentity:
    """Return the component that the route's authentication found."""
    component: ServiceIdentity = request.credentials  # type: ignore[attr-defined]  # as above
    return component


@lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    return http_date(second)


class AccountApi(ApiService):
    """An API of this service: XML faults, and dates on every answer that tell caches it is stale."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name,
            user_of,
            xml_faults=True,
            headers={"Vary": "X-Auth-Token, Accept-Language", "Content-Language": "en"},
        )

    def _answer(self, request: HttpRequest, produce: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        response = super()._answer(request, produce)
        now = _http_date(int(clock.now().timestamp()))
        response.setdefault("Expires", now)
        response.setdefault("Last-Modified", now)
        return response
