"""An upload from a browser's form (object-storage contract 8.5)."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from pithos.api.bodies import body_length
from synnefo.errors import BadRequest

FIELD = "X-Object-Data"


def read_form(request: HttpRequest, block_size: int) -> tuple[str, Iterator[bytes]]:
    """Return content type and blocks of the form's file; raise BadRequest if there is none."""
    body_length(request)
    try:
        file = request.FILES.get(FIELD)
    except (MultiPartParserError, SuspiciousOperation, OSError, ValueError) as error:
        raise BadRequest("The form is malformed.") from error
    if file is None:
        raise BadRequest(f"The form has no file {FIELD}.")
    content_type = file.content_type or "application/octet-stream"
    if not content_type.isascii() or not content_type.isprintable() or len(content_type) > 256:
        raise BadRequest("The file's content type is malformed.")
    return content_type, iter(lambda: file.read(block_size), b"")
