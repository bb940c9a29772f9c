"""Issuing tokens: made once, stored encrypted and as a digest."""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from astakos.logic.authentication import MAX_TOKEN_LENGTH, SCOPED_PREFIX
from astakos.models import Component, User
from synnefo import clock, crypto
from synnefo.errors import BadRequest, Conflict

_ATTEMPTS = 10
_USER_PURPOSE = "astakos.user"
_COMPONENT_PURPOSE = "astakos.component"


def unused_token() -> str:
    """Return a fresh token that neither a user nor a component has (identity contract 0.3)."""
    for _ in range(_ATTEMPTS):
        token = crypto.new_token()
        if not _is_taken(crypto.token_digest(token)):
            return token
    raise Conflict("No unused token was found. Try again.")


def _is_taken(digest: str) -> bool:
    return (
        User.objects.filter(auth_token_digest=digest).exists()
        or Component.objects.filter(auth_token_digest=digest).exists()
    )


def check_chosen_token(token: str) -> None:
    """Raise ``BadRequest`` for a token no client could send, ``Conflict`` for one in use."""
    if (
        not 16 <= len(token) <= MAX_TOKEN_LENGTH
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise BadRequest(f"A token has 16 to {MAX_TOKEN_LENGTH} printable ASCII characters and no blank")
    if token.startswith(SCOPED_PREFIX):
        raise BadRequest(f"Tokens that begin with '{SCOPED_PREFIX}' are those of the Keystone v3 dialect")
    if _is_taken(crypto.token_digest(token)):
        raise Conflict("This token is already in use")


def set_user_token(user: User, token: str) -> None:
    """Give *user* (not saved here) the new *token*, good for ``ASTAKOS_AUTH_TOKEN_DURATION`` hours."""
    user.auth_token = crypto.encrypt(token, _USER_PURPOSE)
    user.auth_token_digest = crypto.token_digest(token)
    user.auth_token_created = clock.now()
    user.auth_token_expires = user.auth_token_created + dt.timedelta(
        hours=settings.ASTAKOS_AUTH_TOKEN_DURATION
    )


def user_token(user: User) -> str:
    """Return the clear token of *user*, for the pages that show it."""
    return crypto.decrypt(user.auth_token, _USER_PURPOSE)


def set_component_token(component: Component, token: str) -> None:
    """Give *component* (not saved here) the new *token*, which does not expire."""
    component.auth_token = crypto.encrypt(token, _COMPONENT_PURPOSE)
    component.auth_token_digest = crypto.token_digest(token)
    component.auth_token_created = clock.now()
    component.auth_token_expires = None


def component_token(component: Component) -> str:
    """Return the clear token of *component*."""
    return crypto.decrypt(component.auth_token, _COMPONENT_PURPOSE)
