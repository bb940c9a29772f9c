"""Files that a user injects into a new server (compute contract 5.2)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.conf import settings

from synnefo.errors import BadRequest, OverLimit

_KEYS = frozenset({"path", "contents", "owner", "group", "mode"})
_MAX_PATH = 4096
_MAX_NAME = 255
_MAX_MODE = 0o7777


def check(items: list[Any]) -> list[dict[str, Any]]:
    """Return the files as the deployer takes them; raises ``BadRequest`` or, for limits, ``OverLimit``."""
    limit = settings.MAX_PERSONALITY
    if len(items) > limit:
        raise OverLimit(f"'personality' has {len(items)} files, at most {limit} are allowed")
    return [_check_item(item) for item in items]


def _check_item(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or not set(item) <= _KEYS:
        raise BadRequest(f"Each item of 'personality' must be an object of {', '.join(sorted(_KEYS))}")
    checked: dict[str, Any] = {
        "path": _text(item, "path", _MAX_PATH),
        "contents": _contents(item.get("contents")),
    }
    for key in ("owner", "group"):
        if item.get(key) is not None:
            checked[key] = _text(item, key, _MAX_NAME)
    mode = item.get("mode")
    if mode is not None:
        if not isinstance(mode, int) or isinstance(mode, bool) or not 0 <= mode <= _MAX_MODE:
            raise BadRequest(f"'mode' in 'personality' must be an integer of 0 to {_MAX_MODE}")
        checked["mode"] = mode
    return checked


def _text(item: dict[str, Any], key: str, maximum: int) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not 1 <= len(value) <= maximum:
        raise BadRequest(f"'{key}' in 'personality' must be a string of 1 to {maximum} characters")
    return value


def _contents(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest("'contents' in 'personality' must be base64 text")
    try:
        compact = "".join(value.split())
        decoded = base64.b64decode(compact.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadRequest("'contents' in 'personality' is not valid base64") from error
    limit = settings.MAX_PERSONALITY_SIZE
    if len(decoded) > limit:
        raise OverLimit(f"A file in 'personality' has {len(decoded)} bytes, at most {limit} are allowed")
    return compact
