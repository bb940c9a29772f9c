"""Language of pages, and faults as pages (web contract 1.7, 6.5, 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

from branding import errors, preferences
from synnefo.errors import SynnefoError
from synnefo.page_middleware import api_prefixes

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class PagesMiddleware:
    """Answer pages in the visitor's language and turn typed faults into error pages.

    Views of an ``ApiService`` are left alone: they speak English and render their own faults.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._api_prefixes = api_prefixes()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer *request*, and leave no language behind in the thread."""
        if request.path_info.startswith(self._api_prefixes):
            return self.get_response(request)
        with translation.override(None):
            translation.deactivate()
            response = self.get_response(request)
            if response.get("Content-Type", "").startswith("text/html"):
                patch_vary_headers(response, ["Cookie", "Accept-Language"])
                response.setdefault("Content-Language", translation.get_language() or "en")
                response.setdefault("Cache-Control", "private, no-cache")
            return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Switch to the visitor's language before a page's view runs."""
        if not hasattr(view, "verbs"):
            translation.activate(preferences.language_of(request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Return the error page of a typed fault; everything else goes on to the 500 page."""
        if isinstance(exception, SynnefoError):
            return errors.fault_page(request, exception)
        return None
