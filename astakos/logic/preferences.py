"""What a user chose, such as theme and language, kept on the account (web contract 2.2)."""

from __future__ import annotations

from django.conf import settings

from astakos.models import User
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one


def save_preferences(credentials: Credentials, *, choices: dict[str, str]) -> None:
    """Lay *choices* over what the acting user chose before."""
    with atomic():
        user = lock_one(User.objects.filter(uuid=credentials.user_id))
        user.preferences = {**user.preferences, **choices}
        user.save(update_fields=["preferences", "updated"])


#: The language of the pages on which somebody signed up: what mails are written in until one is chosen.
SIGN_UP_LANGUAGE = "sign_up_language"


def language_of(user: User) -> str:
    """Return the language to write to *user* in: chosen, else that of the sign-up, else ``LANGUAGE_CODE``."""
    known = dict(settings.LANGUAGES)
    choices = (user.preferences.get(key) for key in ("language", SIGN_UP_LANGUAGE))
    return next((choice for choice in choices if choice in known), settings.LANGUAGE_CODE)
