"""Error pages; callers that ask for JSON get a fault instead (web contract 15)."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from branding import identity, preferences
from branding.fault_texts import text_of
from synnefo import request_id
from synnefo.api import fault_response
from synnefo.api.responses import finish
from synnefo.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    ServiceUnavailable,
    SynnefoError,
)

#: What may be over when the page is asked for again.
_PASSING = (409, 429, 502, 503, 504)

log = logging.getLogger("synnefo.pages")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 400: the request is malformed."""
    return fault_page(request, BadRequest("The request is malformed"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 403; a ``PermissionDenied`` may carry the reason."""
    reason = str(exception) if isinstance(exception, PermissionDenied) else ""
    return fault_page(request, Forbidden(reason or "Forbidden"))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 404, in the same words for what does not exist and for what is somebody else's."""
    return fault_page(request, NotFound("Not found"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer 403: the form is too old or comes from another site."""
    if _wants_json(request):
        return finish(fault_response(request, Forbidden("The form's token is missing or wrong")))
    title = _("This form has expired")
    text = _("Go back, reload the page and send the form again. Nothing was changed.")
    return _page(request, 403, "403.html", title, text, "")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 without database, session or context processors: any of them may be what failed."""
    if _wants_json(request):
        return finish(fault_response(request, SynnefoError("Unexpected error")))
    try:
        context = identity.template_values()
    except Exception:
        log.exception("the brand cannot be shown")
        context = {}
    context |= {"code": 500, "request_id": request_id.current()}
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("500.html", context), status=500)


def fault_page(request: HttpRequest, error: SynnefoError) -> HttpResponseBase:
    """Render *error* as a page with its own status, or as JSON for who asks for that."""
    if _wants_json(request):
        return finish(fault_response(request, error))
    if error.code >= 500 and not isinstance(error, ServiceUnavailable):
        log.error("page failed: %s", error)
    template = f"{error.code}.html" if error.code in (400, 403, 404) else "branding/error_page.html"
    with translation.override(preferences.language_of(request)):
        title, text = _words(error)
        message = text_of(error)
        shown = (
            message
            if error.message not in ("", "Forbidden") and message != text and error.code != 404
            else ""
        )
        response = _page(request, error.code, template, title, text, shown, details=error.details)
    for header, value in error.headers.items():
        response[header] = value
    return response


def _page(
    request: HttpRequest, code: int, template: str, title: str, text: str, message: str, *, details: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {
        "code": code,
        "error_title": title,
        "error_text": text,
        "error_message": message,
        "error_details": details,
        "may_retry": code in _PASSING and request.method in ("GET", "HEAD"),
    }
    return HttpResponse(render_to_string(template, context, request), status=code)


def _words(error: SynnefoError) -> tuple[str, str]:
    """Return heading and explanation of a status."""
    known = {
        400: (_("That request cannot be understood"), _("Something in the address or in the form is wrong.")),
        401: (_("Please sign in"), _("This page needs an account.")),
        403: (_("You may not see this"), _("Your account does not have access to this page.")),
        404: (_("Page not found"), _("It does not exist, or it is not yours.")),
        405: (_("That cannot be done here"), _("This address does not answer this kind of request.")),
        409: (_("Somebody was faster"), _("The state has changed in the meantime. Look again and retry.")),
        413: (_("That is too much"), _("A limit would be exceeded.")),
        422: (_("Please check your input"), _("Something in the form is wrong.")),
        429: (_("Too many attempts"), _("Wait a little before you try again.")),
        503: (_("Not available right now"), _("A part of the cloud does not answer. Try again in a minute.")),
    }
    return known.get(error.code, (_("Something went wrong"), _("The cloud could not do this.")))


def _wants_json(request: HttpRequest) -> bool:
    accept = request.headers.get("Accept", "")
    return "application/json" in accept and "text/html" not in accept
