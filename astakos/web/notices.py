"""News that administrators put on top of pages (identity contract 5; web contract 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from branding.identity import clean_html

_OWN = {"login": "LOGIN_MESSAGES", "signup": "SIGNUP_MESSAGES", "profile": "PROFILE_MESSAGES"}
_LISTS = ("LOGIN_MESSAGES", "SIGNUP_MESSAGES", "PROFILE_MESSAGES", "GLOBAL_MESSAGES")
_KINDS = {"debug": "info", "info": "info", "success": "success", "warning": "warning", "error": "error"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message; ``kind`` is its look, ``text`` harmless HTML."""

    kind: str
    text: str


def site_notices(request: HttpRequest) -> dict[str, Any]:
    """Give templates ``site_notices``, the messages of this page and the global ones."""
    match = request.resolver_match
    page = (match.url_name or "").removeprefix("astakos-") if match is not None else ""
    chosen = settings.ASTAKOS_MESSAGES_VIEWS_MAP.get(page)
    wanted = [_OWN[page]] if chosen is None and page in _OWN else list(chosen or ())
    names = dict.fromkeys([*wanted, "GLOBAL_MESSAGES"])
    notices = [notice for name in names if name in _LISTS for notice in _notices(name)]
    return {"site_notices": notices}


def _notices(name: str) -> list[Notice]:
    configured = getattr(settings, f"ASTAKOS_{name}")
    pairs = configured.items() if isinstance(configured, dict) else configured
    return [Notice(_KINDS.get(str(level).lower(), "info"), clean_html(str(text))) for level, text in pairs]
