"""Browser sessions: which a user has, and ending them (identity contract 1.8)."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.db import transaction

from astakos.models import OAuth2Code, OAuth2Token, ScopedToken, SessionCatalog, User
from synnefo import clock

_MAX_USER_AGENT = 255


def record(user: User, *, session_key: str, user_agent: str) -> None:
    """Remember that *user* has the browser session *session_key*."""
    SessionCatalog.objects.update_or_create(
        session_key=session_key,
        defaults={"user": user, "created": clock.now(), "user_agent": user_agent[:_MAX_USER_AGENT]},
    )


def forget(session_key: str) -> None:
    """Forget a session that its user ended."""
    SessionCatalog.objects.filter(session_key=session_key).delete()


def end_sessions(user: User, *, besides: str | None = None) -> int:
    """End all sessions of *user*, except *besides* if given; return how many.

    Runs in the caller's transaction; what a cache holds of them goes after its commit.
    """
    sessions = SessionCatalog.objects.filter(user=user).exclude(session_key=besides or "")
    keys = list(sessions.values_list("session_key", flat=True))
    sessions.delete()
    store = import_module(settings.SESSION_ENGINE).SessionStore

    def delete() -> None:
        for key in keys:
            store(session_key=key).delete()

    # The row goes with the transaction, and once more after it together with the cached copy.
    delete()
    transaction.on_commit(delete)
    return len(keys)


def end_everything(user: User) -> None:
    """Shut *user* out of whatever he has open: sessions, codes and tokens of every kind but his own.

    Runs in the caller's transaction.
    """
    end_sessions(user)
    OAuth2Code.objects.filter(user=user).delete()
    OAuth2Token.objects.filter(user=user).delete()
    ScopedToken.objects.filter(user=user).delete()


def end_derived_tokens(user: User) -> None:
    """End the tokens that were issued in place of *user*'s own. Runs in the caller's transaction."""
    end_online_tokens(user)
    ScopedToken.objects.filter(user=user).delete()


def end_online_tokens(user: User) -> None:
    """End what applications got through *user*'s browser; the tokens of API clients stay.

    Runs in the caller's transaction.
    """
    OAuth2Code.objects.filter(user=user, access_token="online").delete()  # noqa: S106  (a kind of token)
    OAuth2Token.objects.filter(user=user, access_token="online").delete()  # noqa: S106  (a kind of token)


def delete_expired() -> int:
    """Delete sessions that have expired, with what the catalog says of them; return how many."""
    engine = import_module(settings.SESSION_ENGINE)
    engine.SessionStore.clear_expired()
    from django.contrib.sessions.models import Session

    alive = Session.objects.values("session_key")
    return SessionCatalog.objects.exclude(session_key__in=alive).delete()[0]
