"""Deleting what has expired: sessions, links, tokens, counters."""

from __future__ import annotations

from astakos.logic import email_changes, oauth2, sessions, third_party
from astakos.models import PendingThirdPartyUser, SamlMessage, ScopedToken
from synnefo import audit, clock, notifications, rate_limit
from synnefo.credentials import Credentials


def delete_expired(credentials: Credentials) -> dict[str, int]:
    """Delete everything that has expired and return how much it was, by kind."""
    now = clock.now()
    too_old = now - third_party.PENDING_LIFETIME
    deleted = {
        "sessions": sessions.delete_expired(),
        "OAuth2 codes and tokens": oauth2.delete_expired(),
        "changes of address": email_changes.delete_expired(),
        "unfinished sign-ups": PendingThirdPartyUser.objects.filter(created__lt=too_old).delete()[0],
        "scoped tokens": ScopedToken.objects.filter(expires__lt=now).delete()[0],
        "SAML messages": SamlMessage.objects.filter(expires__lt=now).delete()[0],
        "rate limits": rate_limit.delete_old(),
        "notifications": notifications.delete_old(),
    }
    audit.record(credentials, "cleanup", "everything expired", **deleted)
    return deleted
