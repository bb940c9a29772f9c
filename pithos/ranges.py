"""The Range and Content-Range headers (object-storage contract 7.2, 9.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from synnefo.errors import BadRequest, RangeNotSatisfiable

MAX_RANGES = 100
_PART = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes +([0-9]{1,18})-([0-9]{0,18})/([0-9]{1,18}|\*)", re.ASCII)


@dataclass(frozen=True)
class ByteRange:
    """A part of an object: first byte and number of bytes."""

    offset: int
    length: int


@dataclass(frozen=True)
class ContentRange:
    """Where a data update goes: ``offset`` None appends; ``length`` and ``total`` in bytes, None if open."""

    offset: int | None
    length: int | None
    total: int | None


def parse_range(header: str | None, size: int) -> list[ByteRange] | None:
    """Return the parts that a Range header asks of ``size`` bytes, or None if it is to be ignored.

    Malformed headers are ignored; a part that does not lie wholly inside the object raises
    RangeNotSatisfiable, since this dialect never clamps (object-storage contract 7.2).
    """
    if not header:
        return None
    text = header.replace(" ", "")
    if not text.lower().startswith("bytes="):
        return None
    parts = text[6:].split(",")
    matches = [_PART.fullmatch(part) for part in parts]
    if len(parts) > MAX_RANGES or any(
        match is None or part == "-" for match, part in zip(matches, parts, strict=True)
    ):
        return None
    spans = [_span(match.group(1), match.group(2), size) for match in matches if match]
    if any(span is None for span in spans):
        return None
    ranges = [span for span in spans if span is not None]
    for part in ranges:
        if part.length <= 0 or part.offset < 0 or part.offset + part.length > size:
            error = RangeNotSatisfiable(f"The range is not inside the object's {size} bytes.")
            error.headers["Content-Range"] = f"bytes */{size}"
            raise error
    return ranges


def parse_clamped_range(header: str | None, size: int) -> list[ByteRange] | None:
    """Return the parts that a Range header asks of ``size`` bytes as RFC 9110 has it; None to ignore it.

    Parts are cut to the object; raises RangeNotSatisfiable if nothing of it is asked for.
    """
    text = (header or "").replace(" ", "")
    if not text.lower().startswith("bytes="):
        return None
    parts = text[6:].split(",")
    matches = [_PART.fullmatch(part) for part in parts]
    if len(parts) > MAX_RANGES:
        return None
    ranges = []
    for part, match in zip(parts, matches, strict=True):
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if first and last and int(first) > int(last):
            return None
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if start < stop:
            ranges.append(ByteRange(start, stop - start))
    if not ranges:
        error = RangeNotSatisfiable(f"The range is not inside the object's {size} bytes.")
        error.headers["Content-Range"] = f"bytes */{size}"
        raise error
    return ranges


def _span(first: str, last: str, size: int) -> ByteRange | None:
    if not first:
        return ByteRange(size - int(last), int(last))
    if not last:
        return ByteRange(int(first), size - int(first))
    if int(first) > int(last):
        return None
    return ByteRange(int(first), int(last) - int(first) + 1)


def parse_content_range(header: str | None) -> ContentRange:
    """Return where a data update goes.

    Raises BadRequest if the header is missing and RangeNotSatisfiable if it is not understood or contradicts
    itself (object-storage contract 9.2).
    """
    if not header:
        raise BadRequest("A data update needs a Content-Range header.")
    text = header.strip()
    if re.fullmatch(r"bytes +\*/\*", text):
        return ContentRange(None, None, None)
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        raise RangeNotSatisfiable("The Content-Range header is not understood.")
    first = int(match.group(1))
    last = int(match.group(2)) if match.group(2) else None
    total = int(match.group(3)) if match.group(3) != "*" else None
    if (last is not None and first > last) or (total is not None and max(first, last or 0) >= total):
        raise RangeNotSatisfiable("The Content-Range header contradicts itself.")
    return ContentRange(first, None if last is None else last - first + 1, total)
