"""Signing in and out of the pages (identity contract 1.8, 4.3)."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from astakos.logic import sessions, token_renewal
from astakos.models import User, UserAuthProvider
from synnefo import clock
from synnefo.credentials import Credentials

#: Remembers in the browser which method was used last; the login page shows it first.
LAST_METHOD_COOKIE = "astakos_last_login_method"
_YEAR = 365 * 86_400
_BACKEND = "astakos.web.backend.SessionUserBackend"
_MODULE = "login_module"
_MOMENT = "login_moment"


def log_in(request: HttpRequest, user: User, *, module: str, renew_token: bool = False) -> None:
    """Start a session for *user*, who proved who he is by the login method *module*.

    The session gets a new key, so that one planted before the login is worth nothing, and ends with the
    token at the latest. A token that has expired (or *renew_token*) is renewed, which ends all other
    sessions.
    """
    acting = Credentials(user_id=user.uuid)
    if renew_token or user.auth_token_expires <= clock.now():
        token_renewal.renew_token(acting, user_id=user.pk, end_sessions_besides=None)
        user.refresh_from_db()
    if page_user(request) is not None:
        # Signing in again starts afresh too, whoever was signed in before.
        _forget(request)
        request.session.flush()
    auth.login(request, user, backend=_BACKEND)
    request.session[_MODULE] = module
    request.session[_MOMENT] = clock.now().timestamp()
    limit_session(request, user)
    request.session.save()
    assert request.session.session_key is not None
    agent = request.headers.get("User-Agent", "")
    sessions.record(user, session_key=request.session.session_key, user_agent=agent)
    UserAuthProvider.objects.filter(user=user, module=module).update(last_login_at=clock.now())
    request.astakos_last_method = module  # type: ignore[attr-defined]  # the cookie middleware sets it


def limit_session(request: HttpRequest, user: User) -> None:
    """Let the session end with *user*'s token, and after the time that the site allows at the latest."""
    longest = clock.now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    request.session.set_expiry(min(user.auth_token_expires, longest))


def log_out(request: HttpRequest) -> None:
    """End the session of this browser and the online tokens of OAuth2; API clients stay logged in."""
    user = page_user(request)
    _forget(request)
    if user is not None:
        sessions.end_online_tokens(user)
    auth.logout(request)


def _forget(request: HttpRequest) -> None:
    if request.session.session_key:
        sessions.forget(request.session.session_key)


def page_user(request: HttpRequest) -> User | None:
    """Return who is signed in; a user who was deactivated meanwhile is not."""
    user = request.user
    return user if isinstance(user, User) and user.is_authenticated else None


def login_module(request: HttpRequest) -> str:
    """Return the login method of this session, or an empty text."""
    return str(request.session.get(_MODULE, ""))


def seconds_since_login(request: HttpRequest) -> float:
    """Return how long ago the user proved who he is; pages that show secrets ask for a recent proof."""
    moment = request.session.get(_MOMENT)
    return clock.now().timestamp() - float(moment) if moment is not None else float("inf")


def mark_recent(request: HttpRequest) -> None:
    """Note that the user has just proved again who he is."""
    request.session[_MOMENT] = clock.now().timestamp()


def remember_method(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let the browser remember the login method of a login in this request."""
    module = getattr(request, "astakos_last_method", None)
    if module:
        response.set_cookie(
            LAST_METHOD_COOKIE, module, max_age=_YEAR, httponly=True, samesite="Lax",
            secure=request.is_secure(),
        )  # fmt: skip
