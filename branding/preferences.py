"""What a visitor chose (theme, shortcuts, columns …), in a cookie and on the account (web contract 2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

COOKIE = "ui_prefs"
THEMES = ("system", "light", "dark")
#: Whether single keys are shortcuts (WCAG 2.1.4).
SHORTCUTS = ("on", "off")
ROWS = ("25", "50", "100", "200")
_YEAR_SECONDS = 365 * 24 * 3600
_MAX_COOKIE = 1500
#: "list:column,column;list:column", the columns that are hidden.
_HIDDEN = re.compile(r"(?:[a-z-]{1,30}:[a-z,-]{1,200}(?:;|\Z)){0,20}")
_MAX_HIDDEN = 600

_KEYS = ("theme", "language", "shortcuts", "hidden", "rows")
#: Saves a signed-in visitor's choice on the account; the identity service provides it.
Saver = Callable[[HttpRequest, dict[str, str]], None]
_savers: list[Saver] = []


@dataclass(frozen=True)
class Preferences:
    """A visitor's choices; an empty language leaves it to the browser.

    ``hidden`` has the columns that lists leave out, ``rows`` the rows of their pages, empty for the usual.
    """

    theme: str = "system"
    language: str = ""
    shortcuts: str = "on"
    hidden: str = ""
    rows: str = ""

    def hidden_columns(self, name: str) -> frozenset[str]:
        """Return the columns that the list *name* leaves out."""
        return frozenset(_lists(self.hidden).get(name, "").split(","))

    @property
    def per_page(self) -> int:
        """Return the rows of a page, 0 for no choice."""
        return int(self.rows or 0)


def _lists(hidden: str) -> dict[str, str]:
    return {name: columns for part in hidden.split(";") if part for name, _, columns in [part.partition(":")]}


def with_hidden(current: str, name: str, columns: list[str]) -> str:
    """Return what is hidden in all lists, with *columns* hidden in the list *name*."""
    lists = _lists(current) | {name: ",".join(columns)}
    return ";".join(f"{key}:{value}" for key, value in lists.items() if value)


def provide_saver(saver: Saver) -> None:
    """Register what keeps choices on the account; the last one wins."""
    _savers.append(saver)


def of_request(request: HttpRequest) -> Preferences:
    """Return the choices of the account, or else of the cookie; unknown values count as none."""
    chosen = dict(parse_qsl(request.COOKIES.get(COOKIE, "")[:_MAX_COOKIE]))
    # Whoever has no session cookie is not signed in; asking would open the session for nothing.
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        stored = getattr(getattr(request, "user", None), "preferences", None)
        if isinstance(stored, dict):
            chosen |= {key: str(value) for key, value in stored.items() if key in _KEYS}
    return _valid(chosen)


def _valid(chosen: dict[str, str]) -> Preferences:
    theme = chosen.get("theme", "")
    language = chosen.get("language", "")
    shortcuts = chosen.get("shortcuts", "")
    hidden, rows = chosen.get("hidden", ""), chosen.get("rows", "")
    return Preferences(
        theme=theme if theme in THEMES else "system",
        language=language if language in dict(settings.LANGUAGES) else "",
        shortcuts=shortcuts if shortcuts in SHORTCUTS else "on",
        hidden=hidden if len(hidden) <= _MAX_HIDDEN and _HIDDEN.fullmatch(hidden) else "",
        rows=rows if rows in ROWS else "",
    )


def save(request: HttpRequest, response: HttpResponseBase, changes: dict[str, str]) -> None:
    """Keep *changes*, of which invalid values are dropped, in the cookie and on the account."""
    values = asdict(_valid(asdict(of_request(request)) | changes))
    response.set_cookie(
        COOKIE,
        urlencode(values),
        max_age=_YEAR_SECONDS,
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
    if _savers and settings.SESSION_COOKIE_NAME in request.COOKIES:
        _savers[-1](request, values)


def language_of(request: HttpRequest) -> str:
    """Return the language to answer in: account, cookie, browser, ``LANGUAGE_CODE``."""
    return of_request(request).language or translation.get_language_from_request(request)
