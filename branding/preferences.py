"""What a visitor chose: theme and language, in a cookie and on the account (web contract 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

COOKIE = "ui_prefs"
THEMES = ("system", "light", "dark")
_YEAR_SECONDS = 365 * 24 * 3600

#: Saves a signed-in visitor's choice on the account; the identity service provides it.
Saver = Callable[[HttpRequest, dict[str, str]], None]
_savers: list[Saver] = []


@dataclass(frozen=True)
class Preferences:
    """A visitor's choices; an empty language leaves it to the browser."""

    theme: str = "system"
    language: str = ""


def provide_saver(saver: Saver) -> None:
    """Register what keeps choices on the account; the last one wins."""
    _savers.append(saver)


def of_request(request: HttpRequest) -> Preferences:
    """Return the choices of the account, or else of the cookie; unknown values count as none."""
    chosen = dict(parse_qsl(request.COOKIES.get(COOKIE, "")[:200]))
    # Whoever has no session cookie is not signed in; asking would open the session for nothing.
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        stored = getattr(getattr(request, "user", None), "preferences", None)
        if isinstance(stored, dict):
            chosen |= {key: str(value) for key, value in stored.items() if key in ("theme", "language")}
    return _valid(chosen)


def _valid(chosen: dict[str, str]) -> Preferences:
    theme = chosen.get("theme", "")
    language = chosen.get("language", "")
    return Preferences(
        theme=theme if theme in THEMES else "system",
        language=language if language in dict(settings.LANGUAGES) else "",
    )


def save(request: HttpRequest, response: HttpResponseBase, changes: dict[str, str]) -> None:
    """Keep *changes*, of which invalid values are dropped, in the cookie and on the account."""
    current = of_request(request)
    wanted = _valid({"theme": current.theme, "language": current.language} | changes)
    values = {"theme": wanted.theme, "language": wanted.language}
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
