"""Bodies and headers of replies (object-storage contract 2.5, 6, 7)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

import orjson
from django.http import HttpRequest, HttpResponse

from pithos.api.headers import encode_name, encode_value

TYPES = {
    "json": "application/json; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "text": "text/plain; charset=UTF-8",
}


def reply_format(request: HttpRequest, *, default: str = "json") -> str:
    """Return json, xml or text: by query, by Accept, else the operation's default."""
    if request.GET.get("format") in ("json", "xml"):
        return str(request.GET.get("format"))
    for item in request.META.get("HTTP_ACCEPT", "").split(","):
        media = item.split(";", 1)[0].strip().lower()
        if media in ("application/json", "application/xml"):
            return media.rpartition("/")[2]
    return default


def iso(moment: datetime) -> str:
    """Return a time in UTC with six digits of fraction always, which strict parsers expect."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


def epoch(moment: datetime) -> str:
    """Return a time as epoch seconds with six digits of fraction, exactly.

    A float of today's size tells millionths apart, so rounding to six digits is exact.
    """
    return f"{moment.timestamp():.6f}"


def reply(
    kind: str, body: str | bytes = b"", *, status: int, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return a reply of the given format with encoded headers."""
    response = HttpResponse(
        body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body,
        status=status,
        content_type=TYPES[kind],
    )
    set_headers(response, headers or {})
    return response


def set_headers(response: HttpResponse, headers: Mapping[str, str]) -> None:
    """Set headers, names and values encoded for the wire."""
    for name, value in headers.items():
        response[encode_name(name)] = encode_value(value)


def dumps(data: object) -> str:
    """Return JSON text; names go out as they are, not escaped."""
    return json.dumps(data, ensure_ascii=False)


def dumps_records(records: Sequence[Mapping[str, object]]) -> bytes:
    """Return many records as JSON, by a library that takes a tenth of the time of Python's own."""
    return orjson.dumps(records)


def lines(names: Iterable[str]) -> str:
    """Return a text listing."""
    return "".join(f"{name}\n" for name in names)


def xml_document(tag: str, attributes: Mapping[str, str], children: Sequence[str]) -> str:
    """Return an XML document of one root element; ``children`` are rendered already.

    A client reads the fifth word of the text as the root's name attribute, so the spaces count
    (object-storage contract 6.2).
    """
    head = "".join(f" {name}={quoteattr(printable(value))}" for name, value in attributes.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n\n<{tag}{head}>\n' + "\n".join(children) + f"\n</{tag}>\n"
    )


def xml_empty(tag: str, attributes: Mapping[str, str]) -> str:
    """Return an element that has attributes only."""
    pairs = "".join(f" {name}={quoteattr(printable(value))}" for name, value in attributes.items())
    return f"<{tag}{pairs} />"


def xml_element(tag: str, value: object) -> str:
    """Return an element with its content; a mapping becomes pairs of key and value."""
    if isinstance(value, Mapping):
        inner = "".join(xml_element("key", key) + xml_element("value", item) for key, item in value.items())
        return f"<{tag}>{inner}</{tag}>"
    return f"<{tag}>{escape(printable('' if value is None else str(value)))}</{tag}>"


def xml_record(tag: str, record: Mapping[str, object]) -> str:
    """Return an element with one child per entry of ``record``."""
    return f"<{tag}>\n" + "\n".join(xml_element(key, value) for key, value in record.items()) + f"\n</{tag}>"


def printable(value: str) -> str:
    """Replace what XML 1.0 has no way to write."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "\ufffd"
        for c in value
    )
