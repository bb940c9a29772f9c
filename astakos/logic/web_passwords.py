"""Web passwords where there is no page: for the Keystone v3 dialect, as far as the site allows them."""

from __future__ import annotations

from django.conf import settings

from astakos.logic import passwords, second_factor
from astakos.logic.passwords import LoginState
from astakos.models import User
from synnefo import rate_limit
from synnefo.errors import TooManyRequests, Unauthorized

#: Policies under which web passwords count.
_WITH_PASSWORDS = ("token-or-password",)
#: What a page would answer by showing a captcha, or by asking to wait.
_SLOW_DOWN = (LoginState.RATE_LIMITED, LoginState.CAPTCHA_REQUIRED)


def check(*, name: str, password: str, address: str) -> int | None:
    """Return the id of the user *name* (e-mail address or uuid) whose web password is *password*.

    Attempts are counted, and unknown users cost as much time, as on the log-in page. Raises
    ``TooManyRequests`` for too many, ``Unauthorized`` for who knows the password and may not use it here: an
    account in another state, without this method, or with a second factor.
    """
    if settings.ASTAKOS_V3_PASSWORD_POLICY not in _WITH_PASSWORDS:
        return None
    attempt = passwords.check_login(username=_address(name), password=password, address=address)
    if attempt.state in _SLOW_DOWN:
        raise TooManyRequests(attempt.message, retry_after=attempt.retry_after or 60)
    if attempt.user is None:
        return None
    if attempt.state is not LoginState.OK:
        raise Unauthorized(attempt.message)
    if second_factor.need_of(attempt.user) is not second_factor.Need.NOTHING:
        raise Unauthorized(
            "This account has a second factor: use its token or an application credential as the password"
        )
    return attempt.user.pk


def _address(name: str) -> str:
    """Return the name that the log-in page knows the user of a uuid by; another name stays as it is."""
    if "@" in name:
        return name
    return User.objects.filter(uuid=name.lower()).values_list("username", flat=True).first() or name


def count_failure(address: str) -> None:
    """Count a failed attempt of *address* with a secret that has no user; raises ``TooManyRequests``."""
    limit = settings.ASTAKOS_V3_FAILURES_PER_MINUTE
    attempts = rate_limit.count_attempt(f"v3-address:{address}", limit=limit)
    if attempts.exceeded:
        raise TooManyRequests(
            f"Too many attempts; try again in {attempts.retry_after} seconds",
            retry_after=attempts.retry_after,
        )
