"""Pages that are one form: shown again with what is wrong, in the status of the fault (web contract 1.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from branding.fault_texts import text_of
from synnefo.errors import BadRequest, Conflict, Forbidden, ServiceUnavailable, SynnefoError, TooManyRequests

R = TypeVar("R")

#: Faults that the visitor can do something about on the same page.
_SHOWN = (BadRequest, Conflict, Forbidden, TooManyRequests, ServiceUnavailable)


def submit(form: forms.Form, action: Callable[[], R], *, field: str | None = None) -> R | SynnefoError:
    """Do *action* if *form* is valid; a fault is put at *field*, or on top, and returned."""
    if not form.is_valid():
        return BadRequest("The form is not valid")
    try:
        return action()
    except _SHOWN as error:
        form.add_error(field if isinstance(error, BadRequest) else None, text_of(error))
        return error


def form_page(
    request: HttpRequest,
    template: str,
    form: forms.Form,
    *,
    error: SynnefoError | None = None,
    **context: Any,
) -> HttpResponse:
    """Return the page with *form*; *error* decides the status, where malformed input is 422."""
    code = 200 if error is None else error.code
    response = render(request, template, {"form": form, **context}, status=422 if code == 400 else code)
    for header, value in ({} if error is None else error.headers).items():
        response[header] = value
    return response


def client_address(request: HttpRequest) -> str:
    """Return the client's address as far as it is known."""
    return str(request.META.get("REMOTE_ADDR", ""))[:64]
