"""Listings as Swift's clients read them (object-storage contract 22.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from pithos.api import parameters
from pithos.api.rendering import dumps, lines, reply, reply_format, xml_document, xml_element, xml_record
from synnefo.errors import PreconditionFailed

Record = dict[str, object]


def limit(request: HttpRequest) -> int:
    """Return the size of a page; raise PreconditionFailed for more than the site gives."""
    largest: int = settings.PITHOS_API_LIST_LIMIT
    text = parameters.text(request, "limit")
    if not text:
        return largest
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > largest:
        raise PreconditionFailed(f"The limit is a number of at most {largest}.")
    return int(text)


def is_reverse(request: HttpRequest) -> bool:
    """Tell whether the listing is to be turned round."""
    return parameters.text(request, "reverse").lower() in ("true", "1", "yes", "on", "t", "y")


def moment(when: datetime) -> str:
    """Return a time without its zone, which is UTC, and always with six digits of fraction."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def render(
    request: HttpRequest,
    records: Sequence[Record],
    *,
    root: str,
    name: str,
    item: str,
    headers: dict[str, str],
) -> HttpResponse:
    """Return a listing in the wanted format; 204 for an empty one in plain text."""
    kind = reply_format(request, default="text")
    if kind == "text":
        body = lines(str(record.get("name", record.get("subdir"))) for record in records)
        return reply(kind, body, status=200 if records else 204, headers=headers)
    if kind == "json":
        return reply(kind, dumps(list(records)), status=200, headers=headers)
    children = [
        _subdir(str(record["subdir"])) if "subdir" in record else xml_record(item, record)
        for record in records
    ]
    return reply(kind, xml_document(root, {"name": name}, children), status=200, headers=headers)


def _subdir(name: str) -> str:
    opening = xml_document("subdir", {"name": name}, [xml_element("name", name)])
    return opening.split("\n\n", 1)[1].replace("\n", "")
