"""The ``--filter-by`` expressions of list commands (administrator's contract 1.3)."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

_CONDITION = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)(!=|>=|=>|<=|=<|=|>|<)(.*)$", re.DOTALL)
_LOOKUPS = {"=": "", ">": "__gt", "<": "__lt", ">=": "__gte", "=>": "__gte", "<=": "__lte", "=<": "__lte"}
_WORDS = {
    "true": True,
    "t": True,
    "yes": True,
    "1": True,
    "false": False,
    "f": False,
    "no": False,
    "0": False,
}


def parse_filters(model: type[models.Model], expression: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what *expression* requires and what it excludes, as queryset keyword arguments.

    Raises ``ValueError`` for a condition that is not of the form ``<field><operator><value>``.
    """
    wanted: dict[str, Any] = {}
    unwanted: list[dict[str, Any]] = []
    for condition in filter(None, expression.split(",")):
        match = _CONDITION.match(condition.strip())
        if match is None:
            raise ValueError(f"'{condition}' is not a condition such as name=value or id>=10.")
        key, operator, text = match.groups()
        value = _convert(model, key, text)
        if operator == "!=":
            unwanted.append({key: value})
        else:
            wanted[key + _LOOKUPS[operator]] = value
    return wanted, unwanted


def _convert(model: type[models.Model], key: str, text: str) -> Any:
    """Booleans need converting by field type; Django converts the rest itself."""
    if key.endswith("__isnull") or isinstance(_field(model, key), models.BooleanField):
        if text.lower() not in _WORDS:
            raise ValueError(f"'{text}' is not a boolean value for {key}.")
        return _WORDS[text.lower()]
    if text in ("None", "null"):
        return None
    return text


def _field(model: type[models.Model], key: str) -> Any:
    """Return the field at the end of a lookup path; a transform such as ``__startswith`` has none."""
    current: Any = model
    field: Any = None
    for part in key.split("__"):
        try:
            field = current._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        current = field.related_model or current
    return field
