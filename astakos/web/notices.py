"""News that administrators put on top of pages (identity contract 5; web contract 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from branding import closed_notices
from branding.identity import clean_html

_OWN = {"login": "LOGIN_MESSAGES", "signup": "SIGNUP_MESSAGES", "profile": "PROFILE_MESSAGES"}
#: Other addresses that answer the login page.
_SAME_PAGE = dict.fromkeys(("index", "local", "login-local"), "login")
_LISTS = ("LOGIN_MESSAGES", "SIGNUP_MESSAGES", "PROFILE_MESSAGES", "GLOBAL_MESSAGES")
_KINDS = {"debug": "info", "info": "info", "success": "success", "warning": "warning", "error": "error"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message; ``kind`` is its look, ``text`` harmless HTML, ``key`` empty where it stays open."""

    kind: str
    text: str
    key: str


def site_notices(request: HttpRequest) -> dict[str, Any]:
    """Give templates ``site_notices``, the messages of this page and the global ones."""
    match = request.resolver_match
    page = (match.url_name or "").removeprefix("astakos-") if match is not None else ""
    page = _SAME_PAGE.get(page, page)
    chosen = settings.ASTAKOS_MESSAGES_VIEWS_MAP.get(page)
    wanted = [_OWN[page]] if chosen is None and page in _OWN else list(chosen or ())
    names = dict.fromkeys([*wanted, "GLOBAL_MESSAGES"])
    closed = closed_notices.closed(request)
    notices = [notice for name in names if name in _LISTS for notice in _notices(name)]
    return {"site_notices": [notice for notice in notices if notice.key not in closed]}


def _notices(name: str) -> list[Notice]:
    configured = getattr(settings, f"ASTAKOS_{name}")
    pairs = configured.items() if isinstance(configured, dict) else configured
    return [_notice(_KINDS.get(str(level).lower(), "info"), clean_html(str(text))) for level, text in pairs]


def _notice(kind: str, text: str) -> Notice:
    return Notice(kind, text, "" if kind == "error" else closed_notices.key_of(kind, text))
