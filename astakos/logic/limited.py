"""How often strangers may ask for things that cost mail or work (identity contract 4.3)."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from synnefo import rate_limit
from synnefo.errors import TooManyRequests

_MINUTE = 60
_HOUR = 3600


def check(key: str, *, limit: int, period: int) -> None:
    """Count one more use of *key* in *period* (seconds); raises ``TooManyRequests`` beyond *limit*."""
    attempts = rate_limit.count_attempt(key, limit=limit, period=period)
    if attempts.exceeded:
        raise TooManyRequests(
            _("Too many attempts; try again in %(seconds)s seconds") % {"seconds": attempts.retry_after},
            retry_after=attempts.retry_after,
        )


def check_form(what: str, address: str) -> None:
    """Count one more form *what* from the client *address*, which is empty when nobody knows it."""
    if address:
        check(f"form:{what}:{address}", limit=settings.ASTAKOS_RATELIMIT_FORMS_PER_HOUR, period=_HOUR)


def check_mail(what: str, email: str) -> None:
    """Count one more mail *what* to *email*, whether or not anybody has that address."""
    check(f"mail:{what}:{email.lower()}", limit=settings.ASTAKOS_RATELIMIT_MAILS_PER_HOUR, period=_HOUR)


def check_catalog(uuid: str) -> None:
    """Count one more translation of names for the user *uuid*: it must not serve to try out addresses."""
    check(f"catalog:{uuid}", limit=settings.ASTAKOS_RATELIMIT_CATALOGS_PER_MINUTE, period=_MINUTE)
