"""URLs of the vmapi dialect, relative to its root (compute contract 17)."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern

from cyclades.logic import vmapi
from synnefo.api import ApiService
from synnefo.errors import Unauthorized


def _refuse(request: HttpRequest) -> object:
    raise Unauthorized("This service knows no users")


service = ApiService("vmapi", _refuse)


class _Once:
    """The body of an answer; its parameters are used up when all of it was taken by the web server."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.body = vmapi.take(key).encode()
        self._pieces: Iterator[bytes] = iter((self.body,))
        self._is_complete = False

    def __iter__(self) -> _Once:
        return self

    def __next__(self) -> bytes:
        try:
            # The server asks for more only when it could send what it has.
            return next(self._pieces)
        except StopIteration:
            self._is_complete = True
            vmapi.finish(self._key)
            raise

    def close(self) -> None:
        """Let the node ask again when its answer broke off."""
        if not self._is_complete:
            vmapi.give_back(self._key)


def server_params(request: HttpRequest, key: str) -> StreamingHttpResponse:
    """Give out a new server's parameters, once; whoever knows the key is its node."""
    once = _Once(key)
    response = StreamingHttpResponse(once, content_type="application/json")
    response["Content-Length"] = str(len(once.body))
    return response


urlpatterns: list[URLPattern] = [
    service.route(r"v1\.0/server-params/(?P<key>[0-9a-fA-F-]{36})/?", auth=False, GET=server_params),
    service.catch_all(),
]
