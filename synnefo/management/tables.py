"""Printing tables and single objects as pretty text, CSV or JSON (administrator's contract 1.2)."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

FORMATS = ("pretty", "csv", "json")


def render_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    style: str,
    title: str = "",
    show_headers: bool = True,
) -> str:
    """Return *rows* under *headers* in the given *style*."""
    if style == "json":
        return json_text([dict(zip(headers, row, strict=True)) for row in rows])
    if style == "csv":
        return _csv(headers, rows, show_headers)
    return _pretty(headers, rows, title, show_headers)


def render_object(fields: Mapping[str, Any], *, style: str) -> str:
    """Return one object's *fields*, a line each, in the given *style*."""
    if style == "json":
        return json_text(dict(fields))
    if style == "csv":
        return _csv(list(fields), [list(fields.values())], True)
    width = max((len(key) for key in fields), default=0)
    return "\n".join(f"{key.ljust(width)} : {text_of(value)}" for key, value in fields.items()) + "\n"


def json_text(value: Any) -> str:
    """Return *value* as indented JSON with native types."""
    return json.dumps(value, indent=4, ensure_ascii=False, default=_json_default) + "\n"


def _json_default(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def text_of(value: Any) -> str:
    """Return *value* as a cell, with control characters escaped."""
    if isinstance(value, datetime):
        text = str(value)
    elif isinstance(value, list | tuple | set | frozenset):
        text = ", ".join(map(str, value))
    else:
        text = str(value)
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cs") else repr(c)[1:-1] for c in text)


def _csv(headers: Sequence[str], rows: Sequence[Sequence[Any]], show_headers: bool) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if show_headers:
        writer.writerow(headers)
    writer.writerows([text_of(value) for value in row] for row in rows)
    return buffer.getvalue()


def _pretty(headers: Sequence[str], rows: Sequence[Sequence[Any]], title: str, show_headers: bool) -> str:
    cells = [[text_of(value) for value in row] for row in rows]
    columns = (
        list(zip(*([list(headers)] if show_headers else []), *cells, strict=True))
        if (cells or show_headers)
        else []
    )
    widths = [max(map(len, column)) for column in columns]
    total = sum(widths) + 2 * max(len(widths) - 1, 0)
    lines = []
    if title:
        lines += ["-" * total, title.center(total).rstrip(), "-" * total]
    if show_headers:
        lines += [_line(headers, widths), "-" * total]
    lines += [_line(row, widths) for row in cells]
    return "".join(f"{line}\n" for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
