"""What a page may load and do, told to browsers by a strict policy (web contract 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]
#: Sources by directive; asked once per answer, so that settings may change under test.
SourceProvider = Callable[[], Mapping[str, Iterable[str]]]
View = Callable[..., HttpResponseBase]

_BASE: dict[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "worker-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "frame-ancestors": ("'none'",),
    "base-uri": ("'none'",),
    "object-src": ("'none'",),
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
_providers: list[SourceProvider] = []


def allow_sources(provider: SourceProvider) -> None:
    """Register sources that settings name for every page, by directive."""
    _providers.append(provider)


def with_sources(**sources: Iterable[str] | Callable[[HttpRequest], Iterable[str]]) -> Callable[[View], View]:
    """Return a decorator that adds sources for one page: ``with_sources(form_action=("https://x.org",))``.

    A value may be a function of the request. A dash in a directive is written as an underscore.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            added = {
                name.replace("_", "-"): tuple(value(request) if callable(value) else value)
                for name, value in sources.items()
            }
            add_sources(response, added)
            return response

        return wrapped

    return decorate


def add_sources(response: HttpResponseBase, sources: Mapping[str, Iterable[str]]) -> None:
    """Add *sources*, by directive, to the policy of one answer."""
    known: dict[str, tuple[str, ...]] = getattr(response, "csp_sources", {})
    both = {name: (*known.get(name, ()), *sources.get(name, ())) for name in {*known, *sources}}
    response.csp_sources = both  # type: ignore[attr-defined]  # the middleware reads it


def policy(*, is_secure: bool, extra: Mapping[str, Iterable[str]] | None = None) -> str:
    """Return the policy's text with the registered and the *extra* sources."""
    directives = {name: list(sources) for name, sources in _BASE.items()}
    for addition in (*(provider() for provider in _providers), extra or {}):
        for name, sources in addition.items():
            known = [source for source in directives.get(name, []) if source != "'none'"]
            directives[name] = known + sorted(set(sources) - set(known)) or ["'none'"]
    parts = [f"{name} {' '.join(sources)}" for name, sources in directives.items()]
    if is_secure:
        parts.append("upgrade-insecure-requests")
    if settings.UI_CSP_REPORT_URI:
        parts.append(f"report-uri {settings.UI_CSP_REPORT_URI}")
    return "; ".join(parts)


class ContentSecurityMiddleware:
    """Add the browser's safety headers to HTML answers."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request* with the headers added."""
        response = self.get_response(request)
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        name = "Content-Security-Policy" + ("-Report-Only" if settings.UI_CSP_REPORT_ONLY else "")
        if name not in response:
            response[name] = policy(
                is_secure=request.is_secure(), extra=getattr(response, "csp_sources", None)
            )
        for header, value in _HEADERS.items():
            response.setdefault(header, value)
        return response
