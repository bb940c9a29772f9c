"""Messages of the staff that a visitor has closed, until the browser is closed too (web contract 4.1)."""

from __future__ import annotations

import hashlib
import re

from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE = "ui_closed"
_KEY = re.compile(r"[0-9a-f]{12}")
#: The oldest make way, so that the cookie stays small.
_MOST = 20


def key_of(kind: str, text: str) -> str:
    """Return what a message is remembered by; another text is another message."""
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()[:12]


def closed(request: HttpRequest) -> list[str]:
    """Return the messages that were closed, the last one last."""
    return _KEY.findall(request.COOKIES.get(COOKIE, "")[:500])[-_MOST:]


def close(request: HttpRequest, response: HttpResponseBase, key: str) -> None:
    """Remember that the message *key* was closed; nonsense is not kept."""
    if not _KEY.fullmatch(key):
        return
    known = [other for other in closed(request) if other != key]
    response.set_cookie(
        COOKIE,
        ".".join([*known, key][-_MOST:]),
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
