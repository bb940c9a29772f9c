"""One REST dialect: its routes, how it authenticates and how it reports faults."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path

from synnefo import metrics
from synnefo.api.responses import fault_response, finish
from synnefo.errors import BadRequest, MethodNotAllowed, RequestTooLarge, ServiceUnavailable, SynnefoError

Handler = Callable[..., HttpResponseBase]
Authenticator = Callable[[HttpRequest], Any]

log = logging.getLogger("synnefo.api")


def request_token(request: HttpRequest, *, allow_query: bool = False) -> str | None:
    """Return the client's token: query parameter first where the dialect has it, then the header."""
    if allow_query and request.GET.get("X-Auth-Token"):
        return request.GET["X-Auth-Token"]
    return request.META.get("HTTP_X_AUTH_TOKEN") or None


def unreadable(error: SuspiciousOperation) -> SynnefoError:
    """Return what is answered to a request that Django refuses to read."""
    if isinstance(error, RequestDataTooBig):
        return RequestTooLarge("The request body is too large")
    return BadRequest("The request is malformed")


class ApiService:
    """A dialect's entry point.

    ``authenticate`` turns a request into the object stored as ``request.credentials`` and raises
    ``Unauthorized``; ``xml_faults`` lets clients ask for XML fault bodies; ``unknown_path`` is what a
    path that no route matches is answered with; ``plain_addresses`` refuses null characters in paths and
    queries, whose parts are looked for in the database.
    """

    def __init__(
        self,
        name: str,
        authenticate: Authenticator,
        *,
        xml_faults: bool = False,
        unknown_path: str = "API endpoint not found",
        headers: Mapping[str, str] | None = None,
        plain_addresses: bool = False,
    ) -> None:
        self.name = name
        self.authenticate = authenticate
        self.xml_faults = xml_faults
        self.unknown_path = unknown_path
        self.headers = dict(headers or {})
        self.plain_addresses = plain_addresses
        #: Every route of the dialect as (regex, methods, auth), for the route table tests.
        self.routes: list[tuple[str, tuple[str, ...], bool | Authenticator]] = []

    def route(self, regex: str, *, auth: bool | Authenticator = True, **handlers: Handler) -> URLPattern:
        """Return the URL pattern that serves *regex* with one handler per HTTP verb.

        ``auth`` is true for the dialect's own authentication, false for none, or another authenticator.
        """
        methods = {verb.upper(): handler for verb, handler in handlers.items()}
        self.routes.append((regex, tuple(methods), auth))

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return self._answer(request, lambda: self._dispatch(request, methods, auth, args, kwargs))

        # Functions may have attributes; the route table's tests read these.
        view.verbs = tuple(methods)  # type: ignore[attr-defined]  # see above
        view.is_open = not auth  # type: ignore[attr-defined]  # see above
        return re_path(rf"^{regex}$", _csrf_exempt(view))

    def catch_all(self) -> URLPattern:
        """Return the pattern that answers every path below the dialect that no route matched."""

        def view(request: HttpRequest) -> HttpResponseBase:
            def refuse() -> HttpResponseBase:
                raise self.unknown()

            return self._answer(request, refuse)

        view.verbs = ()  # type: ignore[attr-defined]  # see ``route``
        return re_path(r"^[\s\S]*$", _csrf_exempt(view))

    def _dispatch(
        self,
        request: HttpRequest,
        methods: Mapping[str, Handler],
        auth: bool | Authenticator,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase:
        self.check_served()
        handler = methods.get(request.method or "")
        if handler is None:
            raise MethodNotAllowed(allowed=tuple(methods))
        if auth:
            authenticate = self.authenticate if auth is True else auth
            request.credentials = authenticate(request)  # type: ignore[attr-defined]  # for handlers
        if self.plain_addresses:
            _refuse_null(request)
        return handler(request, *args, **kwargs)

    def _answer(self, request: HttpRequest, produce: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        try:
            response = produce()
        except SynnefoError as error:
            response = self.fault(request, error)
        except SuspiciousOperation as error:
            response = self.fault(request, unreadable(error))
        except (OperationalError, InterfaceError) as error:
            log.error("database unavailable: %s", error)
            response = self.fault(request, ServiceUnavailable("The database is not available. Try again."))
        except Exception as error:  # the edge of the request: nothing of the inside is told
            kind = "database error" if isinstance(error, DatabaseError) else "unexpected error"
            log.exception("%s in %s %s", kind, request.method, self.name)
            response = self.fault(request, SynnefoError("Unexpected error"))
        for header, value in self.headers.items():
            response.setdefault(header, value)
        metrics.count_response(self.name, request.method or "", response.status_code)
        return finish(response)

    def check_served(self) -> None:
        """Raise a fault where the site does not offer the dialect's routes; here they always are."""

    def unknown(self) -> SynnefoError:
        """Return the error that a path without a route is answered with."""
        return BadRequest(self.unknown_path)

    def fault(self, request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
        """Render *error* for this dialect."""
        return fault_response(request, error, xml=self.xml_faults)


def _refuse_null(request: HttpRequest) -> None:
    """Raise ``BadRequest`` for an address with a null character, which no stored text can have."""
    values = (value for _, several in request.GET.lists() for value in several)
    if "\0" in request.path_info or any("\0" in value for value in values):
        raise BadRequest("The address of the request contains characters that nothing can be named by")


def _csrf_exempt(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Tokens, not cookies, authenticate API calls, so there is nothing to forge."""
    view.csrf_exempt = True  # type: ignore[attr-defined]  # what Django's decorator does
    return view
