"""Giving a user a new token, which ends the old one and all that came from it (identity contract 1.8)."""

from __future__ import annotations

from typing import Literal

from astakos.logic import tokens
from astakos.logic.sessions import end_derived_tokens, end_sessions
from astakos.models import User
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import NotFound


def renew_token(
    credentials: Credentials, *, user_id: int, end_sessions_besides: str | Literal[False] | None = False
) -> str:
    """Give the user a fresh token and return it.

    ``end_sessions_besides`` ends the user's browser sessions except this one (``None``: all of them);
    ``False`` leaves them alone. Locks the user's row. Raises ``NotFound``.
    """
    token = tokens.unused_token()
    with atomic():
        try:
            user = lock_one(User.objects.filter(pk=user_id))
        except User.DoesNotExist:
            raise NotFound(f"User with ID {user_id} does not exist") from None
        tokens.set_user_token(user, token)
        user.save(
            update_fields=[
                "auth_token", "auth_token_digest", "auth_token_created", "auth_token_expires", "updated",
            ]
        )  # fmt: skip
        end_derived_tokens(user)
        if end_sessions_besides is not False:
            end_sessions(user, besides=end_sessions_besides)
        audit.record(credentials, "user.renew_token", f"user:{user.uuid}")
    return token
