"""Taking typed fields out of a decoded JSON object; every refusal names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.errors import BadRequest


def require_object(body: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return ``body[field]``, which must be an object."""
    value = body.get(field)
    if not isinstance(value, dict):
        raise BadRequest(f"Malformed request: '{field}' must be an object")
    return value


def optional_object(body: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return ``body[field]`` as an object; absent and null mean empty."""
    return {} if body.get(field) is None else require_object(body, field)


def require_str(body: Mapping[str, Any], field: str, *, max_length: int = 255, min_length: int = 0) -> str:
    """Return the string ``body[field]`` of *min_length* to *max_length* characters."""
    value = body.get(field)
    if not isinstance(value, str):
        raise BadRequest(f"Malformed request: '{field}' must be a string")
    if not min_length <= len(value) <= max_length:
        raise BadRequest(f"'{field}' must have {min_length} to {max_length} characters, not {len(value)}")
    return value


def optional_str(body: Mapping[str, Any], field: str, *, max_length: int = 255) -> str | None:
    """Return the string ``body[field]`` or ``None`` when absent or null."""
    return None if body.get(field) is None else require_str(body, field, max_length=max_length)


def require_int(
    body: Mapping[str, Any], field: str, *, minimum: int | None = None, maximum: int = 2**63 - 1
) -> int:
    """Return the integer ``body[field]``; booleans and floats are refused."""
    value = body.get(field)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadRequest(f"Malformed request: '{field}' must be an integer")
    if (minimum is not None and value < minimum) or abs(value) > maximum:
        raise BadRequest(f"'{field}' is out of range: {value}")
    return value


def optional_int(body: Mapping[str, Any], field: str, *, minimum: int | None = None) -> int | None:
    """Return the integer ``body[field]`` or ``None`` when absent or null."""
    return None if body.get(field) is None else require_int(body, field, minimum=minimum)


def require_id(value: Any, what: str) -> int:
    """Return a database id given as a number or as decimal text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) < 20
        and int(value) < 2**63
    ):
        return int(value)
    raise BadRequest(f"Invalid {what} id")


def optional_bool(body: Mapping[str, Any], field: str, *, default: bool = False) -> bool:
    """Return the boolean ``body[field]``, *default* when absent or null."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadRequest(f"Malformed request: '{field}' must be true or false")
    return value


def optional_list(body: Mapping[str, Any], field: str, *, max_items: int = 1000) -> list[Any]:
    """Return the list ``body[field]``; absent and null mean empty."""
    value = body.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"Malformed request: '{field}' must be a list")
    if len(value) > max_items:
        raise BadRequest(f"'{field}' has {len(value)} items, at most {max_items} are allowed")
    return value
