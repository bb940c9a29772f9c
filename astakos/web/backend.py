"""From a session to its user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from astakos.models import User


class SessionUserBackend(BaseBackend):
    """Finds the user of a session; credentials are checked by the login methods, not here."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Refuse: every login goes through a login method."""
        return None

    def get_user(self, user_id: int) -> User | None:
        """Return the session's user as long as he is active."""
        return User.objects.filter(pk=user_id, is_active=True).first()
