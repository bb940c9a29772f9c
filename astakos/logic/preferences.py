"""Keeping a user's theme and language on the account (web contract 2.2)."""

from __future__ import annotations

from astakos.models import User
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one


def save_preferences(credentials: Credentials, *, choices: dict[str, str]) -> None:
    """Lay *choices* over what the acting user chose before."""
    with atomic():
        user = lock_one(User.objects.filter(uuid=credentials.user_id))
        user.preferences = {**user.preferences, **choices}
        user.save(update_fields=["preferences", "updated"])
