"""The two profiles of the compute dialect: one set of routes and use cases, two renderings (contract 22).

``/v2.0`` is what Cyclades' own clients speak, ``/v2.1`` what today's OpenStack clients speak. Handlers answer
in the form of v2.0; below ``/v2.1`` their answers and errors are translated (``nova_answers``,
``nova_faults``), so that every route exists in both.
"""

from __future__ import annotations

import functools
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern

from synnefo import request_id
from synnefo.api import ApiService
from synnefo.api.service import Authenticator, Handler
from synnefo.errors import BadRequest, NotAcceptable, SynnefoError

#: What a client may ask for explicitly; there are no microversions above.
_ACCEPTED_VERSIONS = ("2.0", "2.1", "latest")


class Profile(StrEnum):
    """A profile by the version in its addresses."""

    CYCLADES = "v2.0"
    NOVA = "v2.1"


class UnknownPath(BadRequest):
    """No route matches: Cyclades says 400, Nova 404."""


def base_url() -> str:
    """Return the public address of Cyclades without a slash at its end."""
    url: str = settings.CYCLADES_BASE_URL
    return url.rstrip("/")


def profile_of(request: HttpRequest) -> Profile:
    """Return the profile whose address *request* was sent to."""
    return Profile.CYCLADES if _nova_path(request) is None else Profile.NOVA


def _nova_path(request: HttpRequest) -> str | None:
    """Return the path below Nova's root, ``None`` outside it."""
    root = f"{urlsplit(base_url()).path}/compute/{Profile.NOVA}"
    path = request.path_info
    return path[len(root) + 1 :] if path == root or path.startswith(f"{root}/") else None


class Translation:
    """How answers of v2.0 become those of another profile."""

    def answer(self, request: HttpRequest, path: str, response: HttpResponseBase) -> HttpResponseBase:
        """Return *response*, an answer of v2.0 to *path*, in the form of the profile; may raise."""
        raise NotImplementedError

    def error(self, request: HttpRequest, path: str, error: SynnefoError) -> SynnefoError | HttpResponseBase:
        """Return what the profile answers where v2.0 has *error*."""
        raise NotImplementedError


class ComputeService(ApiService):
    """The compute dialect's entry point, which knows of its profiles."""

    def __init__(self, name: str, authenticate: Authenticator) -> None:
        super().__init__(name, authenticate, plain_addresses=True)
        self.translation: Translation | None = None

    def route(self, regex: str, *, auth: bool | Authenticator = True, **handlers: Handler) -> URLPattern:
        """Return the URL pattern that serves *regex* in whatever profile it is asked in."""
        wrapped = {verb: self._in_profile(handler) for verb, handler in handlers.items()}
        return super().route(regex, auth=auth, **wrapped)

    def _in_profile(self, handler: Handler) -> Handler:
        @functools.wraps(handler)
        def handle(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            path = _nova_path(request)
            if path is None or self.translation is None:
                response = handler(request, *args, **kwargs)
            else:
                _check_version(request)
                response = self.translation.answer(request, path, handler(request, *args, **kwargs))
            return _identified(response)

        return handle

    def unknown(self) -> SynnefoError:
        """Return the error for a path without a route."""
        return UnknownPath(self.unknown_path)

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render *error* in the profile of the request."""
        path = _nova_path(request)
        if path is None or self.translation is None:
            return _identified(super().fault(request, error))
        translated = self.translation.error(request, path, error)
        if isinstance(translated, SynnefoError):
            translated = super().fault(request, translated)
            translated.headers.setdefault("OpenStack-API-Version", "compute 2.1")
        return _identified(translated)


def _check_version(request: HttpRequest) -> None:
    """Raise ``NotAcceptable`` for a microversion that is not there."""
    asked = request.headers.get("X-OpenStack-Nova-API-Version", "")
    for item in request.headers.get("OpenStack-API-Version", "").split(","):
        service, _, version = item.strip().partition(" ")
        if service.lower() == "compute":
            asked = version.strip()
    if asked and asked.lower() not in _ACCEPTED_VERSIONS:
        raise NotAcceptable(f"Version {asked[:20]} is not supported by the API. There is 2.1 only.")


def _identified(response: HttpResponseBase) -> HttpResponseBase:
    """Name the request as Nova's clients look for it."""
    current = request_id.current()
    if current:
        response.headers.setdefault("X-Compute-Request-Id", current)
        response.headers.setdefault("X-OpenStack-Request-ID", current)
    return response
