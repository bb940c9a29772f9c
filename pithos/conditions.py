"""Conditional requests: dates first, then entity tags (object-storage contract 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import formatdate

from django.utils.http import parse_http_date_safe

from synnefo.errors import NotModified, PreconditionFailed


@dataclass(frozen=True)
class Conditions:
    """The entity tag conditions of a request; None if the header is absent."""

    if_match: frozenset[str] | None
    if_none_match: frozenset[str] | None

    def check_write(self, etag: str | None) -> None:
        """Raise PreconditionFailed unless a write may replace the object with ``etag`` (None: no object)."""
        if self.if_match is not None and not _matches(self.if_match, etag):
            raise PreconditionFailed("The object is absent or its ETag is not one of If-Match.")
        if self.if_none_match is not None and _matches(self.if_none_match, etag):
            raise PreconditionFailed("The object exists with an ETag of If-None-Match.")

    def check_read(self, etag: str) -> None:
        """Raise PreconditionFailed or NotModified unless the object with ``etag`` is to be sent."""
        if self.if_match is not None and not _matches(self.if_match, etag):
            raise PreconditionFailed("The object's ETag is not one of If-Match.")
        if self.if_none_match is not None and _matches(self.if_none_match, etag):
            raise NotModified()


NO_CONDITIONS = Conditions(None, None)


def parse_conditions(headers: Mapping[str, str]) -> Conditions:
    """Return the entity tag conditions among the request's decoded ``headers`` (lower-case names)."""
    return Conditions(_tags(headers.get("if-match")), _tags(headers.get("if-none-match")))


def _tags(header: str | None) -> frozenset[str] | None:
    """Split a list of entity tags, which clients send with and without quotes."""
    if header is None:
        return None
    tags = (part.strip() for part in header.split(","))
    return frozenset(_bare(tag) for tag in tags if tag) or None


def _bare(tag: str) -> str:
    return tag.removeprefix("W/").strip('"').lower()


def _matches(tags: frozenset[str], etag: str | None) -> bool:
    # Those of large objects are kept with their quotes.
    return etag is not None and ("*" in tags or _bare(etag) in tags)


def check_dates(headers: Mapping[str, str], modified: datetime) -> None:
    """Raise NotModified or PreconditionFailed by the date conditions; unparsable dates are ignored."""
    seconds = int(modified.timestamp())
    since = http_date_seconds(headers.get("if-modified-since"))
    if since is not None and seconds <= since:
        raise not_modified(modified)
    until = http_date_seconds(headers.get("if-unmodified-since"))
    if until is not None and seconds > until:
        raise PreconditionFailed("The resource has been modified since the date of If-Unmodified-Since.")


def not_modified(modified: datetime) -> NotModified:
    """Return the answer to a client that has the resource as it is since ``modified``."""
    error = NotModified()
    error.headers["Last-Modified"] = http_date(modified)
    return error


def range_applies(header: str | None, etag: str, modified: datetime) -> bool:
    """Tell whether If-Range lets a Range header count for the object as it is now."""
    if not header or not header.strip():
        return True
    date = http_date_seconds(header)
    if date is not None:
        return date == int(modified.timestamp())
    return _bare(header.strip()) == _bare(etag)


def http_date_seconds(header: str | None) -> int | None:
    """Return the epoch seconds of an RFC 1123, RFC 850 or asctime date; None if it is none of them."""
    if not header:
        return None
    try:
        return parse_http_date_safe(header.strip())
    except (OverflowError, ValueError):
        return None


def http_date(moment: datetime) -> str:
    """Return ``moment`` as an HTTP date, cut to whole seconds."""
    epoch = datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    return formatdate((moment - epoch) // timedelta(seconds=1), usegmt=True)
