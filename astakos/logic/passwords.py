"""Passwords: checking them at log-in, changing them, replacing forgotten ones (identity contract 4.3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import (
    accounts,
    auth_providers,
    captcha,
    limited,
    mails,
    password_links,
    password_rules,
    sessions,
    token_renewal,
    users,
)
from astakos.models import User
from synnefo import audit, rate_limit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Forbidden, NotFound

_LOCAL = "local"
_MAX_NAME_LENGTH = 255
#: Attempts for one name from one address: seconds -> multiple of what the setting allows in a minute. The
#: longer somebody goes on, the longer they wait.
_BACK_OFF = {900: 4, 3600: 8}


class LoginState(enum.StrEnum):
    """What an attempt to log in led to."""

    OK = "ok"
    BAD_CREDENTIALS = "bad_credentials"
    UNVERIFIED = "unverified"
    PENDING_MODERATION = "pending_moderation"
    REJECTED = "rejected"
    INACTIVE = "inactive"
    METHOD_DISABLED = "method_disabled"
    CAPTCHA_REQUIRED = "captcha_required"
    RATE_LIMITED = "rate_limited"


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """The outcome of a password log-in.

    ``user`` is set only when the password was right. ``retry_after`` counts seconds; ``captcha_next`` tells
    that the next attempt needs a captcha, so that the form shows it.
    """

    state: LoginState
    message: str
    user: User | None = None
    retry_after: int = 0
    captcha_next: bool = False


@dataclass(frozen=True, slots=True)
class _Limits:
    flagged: bool
    next_flagged: bool
    blocked: bool
    retry_after: int


def check_login(*, username: str, password: str, address: str, captcha_answer: str = "") -> LoginAttempt:
    """Check a name (e-mail address in any case) and a password from the client *address*.

    Unknown names cost as much time as wrong passwords, and only who knows the password learns the state of
    the account. Attempts are counted per name and per address; too many need a captcha, or waiting where
    there are none.
    """
    name = username.replace("\0", "").strip().lower()[:_MAX_NAME_LENGTH]
    limits = _count(name, address)
    if limits.blocked or (limits.flagged and not captcha.is_enabled()):
        text = _("Too many attempts; try again in %(seconds)s seconds") % {"seconds": limits.retry_after}
        return LoginAttempt(LoginState.RATE_LIMITED, text, retry_after=limits.retry_after)
    if limits.flagged:
        try:
            captcha.check(captcha_answer, address=address)
        except captcha.CaptchaRequired as error:
            return LoginAttempt(LoginState.CAPTCHA_REQUIRED, error.message, captcha_next=True)
    user = _with_password(name, password)
    if user is None:
        return LoginAttempt(
            LoginState.BAD_CREDENTIALS,
            _("The name or the password is wrong, or this account has no password"),
            captcha_next=limits.next_flagged and captcha.is_enabled(),
        )
    _forget(name, address)
    state, message = state_of(user)
    if state is LoginState.OK and not auth_providers.may_log_in(user, _LOCAL):
        return LoginAttempt(LoginState.METHOD_DISABLED, _("You may not log in with a password"), user=user)
    return LoginAttempt(state, message, user=user)


def _name_key(name: str) -> str:
    return f"login-name:{name}"


def _pair_key(name: str, address: str, period: int) -> str:
    return f"login-pair-{period}:{name}:{address}"


def _forget(name: str, address: str) -> None:
    """Start counting anew for somebody who proved who he is."""
    for key in (_name_key(name), *(_pair_key(name, address, period) for period in _BACK_OFF)):
        rate_limit.forget(key)


def _count(name: str, address: str) -> _Limits:
    allowed = max(1, settings.ASTAKOS_RATELIMIT_RETRIES_ALLOWED)
    by_name = rate_limit.count_attempt(_name_key(name), limit=allowed - 1)
    by_address = rate_limit.count_attempt(
        f"login-address:{address}", limit=settings.ASTAKOS_RATELIMIT_ADDRESS_PER_MINUTE
    )
    slow = [
        rate_limit.count_attempt(_pair_key(name, address, period), limit=allowed * factor, period=period)
        for period, factor in _BACK_OFF.items()
    ]
    exceeded = [attempts for attempts in (by_address, *slow) if attempts.exceeded]
    return _Limits(
        flagged=by_name.exceeded,
        next_flagged=by_name.count + 1 > by_name.limit,
        blocked=bool(exceeded),
        retry_after=max([by_name.retry_after, *(attempts.retry_after for attempts in exceeded)]),
    )


def _with_password(name: str, password: str) -> User | None:
    """Return the user called *name* if *password* is right; every way through costs one hash."""
    found = (
        User.objects.annotate(lowered_email=Lower("email"))
        .filter(Q(username=name) | Q(lowered_email=name, email_verified=True))
        .order_by("-email_verified")
    )
    user = found.first()
    usable = len(password) <= users.MAX_PASSWORD_LENGTH and "\0" not in password
    candidate = password if usable else ""
    if user is None or not user.auth_providers.filter(module=_LOCAL, active=True).exists():
        make_password(candidate)
        return None
    # Without the setter: a hash that is out of date is renewed by the next change, not in a read.
    return user if check_password(candidate, user.password) and usable else None


def state_of(user: User) -> tuple[LoginState, str]:
    """Return whether the account's state lets *user* in, with the text that says why not."""
    if user.is_active:
        return LoginState.OK, ""
    if not user.email_verified:
        text = _("Your address is not confirmed yet. Look for our mail, also among the spam.")
        return LoginState.UNVERIFIED, text
    if not user.moderated:
        return LoginState.PENDING_MODERATION, _("Your account waits for a member of staff to accept it.")
    if user.is_rejected:
        return LoginState.REJECTED, _("Your request for an account was turned down.")
    return LoginState.INACTIVE, _("Your account is disabled.")


# -- a new password ----------------------------------------------------------------------------------------


def has_password(user: User) -> bool:
    """Tell whether *user* can log in with a password."""
    return user.has_usable_password() and user.auth_providers.filter(module=_LOCAL, active=True).exists()


def renews_token(chosen: bool) -> bool:
    """Tell whether a new password renews the token: always, or as the user *chosen*."""
    return bool(settings.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN) or chosen


def change(
    credentials: Credentials,
    *,
    user_id: int,
    new_password: str,
    old_password: str | None = None,
    renew_token: bool = False,
    address: str = "",
) -> User:
    """Give a user another password, or the first one, which adds the login method ``local``.

    Ends all browser sessions; the page starts its own anew. Raises ``BadRequest`` for a wrong old or an
    unusable new password, ``Forbidden`` when policy lets the user have none, ``TooManyRequests``.
    """
    limited.check(f"password-change:{user_id}:{address}", limit=10, period=900)
    user = User.objects.get(pk=user_id)
    if has_password(user) and not check_password(old_password or "", user.password):
        raise WrongPassword(_("The old password is wrong"))
    password_rules.check_new_password(new_password, user=user)
    hashed = make_password(new_password)
    with atomic():
        user = _locked(user_id)
        _store(
            credentials, user, hashed, renew_token=renews_token(renew_token), action="user.change_password"
        )
    return user


class WrongPassword(BadRequest):
    """The old password is not the user's."""


def _locked(user_id: int) -> User:
    try:
        return lock_one(User.objects.filter(pk=user_id))
    except User.DoesNotExist:
        raise NotFound(f"User with ID {user_id} does not exist") from None


def _store(credentials: Credentials, user: User, hashed: str, *, renew_token: bool, action: str) -> None:
    """Save a new password of a locked user, with all that follows from it."""
    _ensure_method(credentials, user)
    user.password = hashed
    user.save(update_fields=["password", "updated"])
    if renew_token:
        token_renewal.renew_token(credentials, user_id=user.pk, end_sessions_besides=None)
        user.refresh_from_db()
    else:
        sessions.end_sessions(user)
    mails.send_to_user(
        "password_changed",
        "PASSWORD_CHANGED_EMAIL_SUBJECT",
        gettext_noop("Password changed on %(service)s"),
        user=user,
        context={"user": user},
    )
    audit.record(credentials, action, f"user:{user.uuid}", token_renewed=renew_token)


def _ensure_method(credentials: Credentials, user: User) -> None:
    if user.auth_providers.filter(module=_LOCAL, active=True).exists():
        return
    inactive = user.auth_providers.filter(module=_LOCAL)
    if not auth_providers.provider(_LOCAL, user=user).policy.add:
        raise Forbidden(_("You may not log in with a password"))
    if not inactive.update(active=True):
        auth_providers.add_method(credentials, user_id=user.pk, module=_LOCAL, identifier="", info={})


# -- a forgotten password ----------------------------------------------------------------------------------


def request_reset(*, email: str, address: str) -> None:
    """Mail the way to a new password to the owner of *email*, or why there is none.

    Who asks cannot tell whether anybody has the address. Raises ``BadRequest`` for what is no address,
    ``TooManyRequests``.
    """
    email = users.normalized_email(email)
    limited.check_form("reset", address)
    limited.check_mail("reset", email)
    user = users.with_email(email).order_by("-email_verified").first()
    if user is None:
        return
    acting = Credentials(user_id=user.uuid)
    with atomic():
        with mails.in_language_of(user):
            reason = _why_no_reset(user)
        if not user.email_verified:
            accounts.send_verification(acting, user_id=user.pk)
        elif reason:
            _mail_reset(user, "password_reset_refused", reason=reason)
        else:
            _mail_reset(user, "password_reset", url=password_links.reset_url(user))
        audit.record(acting, "user.request_password_reset", f"user:{user.uuid}", refused=bool(reason))


def _why_no_reset(user: User) -> str:
    state, message = state_of(user)
    if state is not LoginState.OK:
        return message
    method = user.auth_providers.filter(module=_LOCAL).first()
    if method is not None and method.auth_backend != "astakos":
        return _("Your password is kept by another system; change it there.")
    if not has_password(user) and not password_links.has_to_choose(user):
        titles = ", ".join(item.provider.title for item in auth_providers.user_methods(user).enabled)
        return _("Your account has no password. Log in with: %(methods)s.") % {"methods": titles}
    return ""


def _mail_reset(user: User, template: str, **context: str) -> None:
    mails.send_to_user(
        template,
        "PASSWORD_RESET_EMAIL_SUBJECT",
        gettext_noop("Password reset on %(service)s"),
        user=user,
        context={"user": user, "email": user.email, **context},
    )


def reset(*, reference: str, token: str, new_password: str) -> User:
    """Set the password of the user whom the link was mailed to; the link is used up by that.

    Raises ``NotFound`` for a link that is no good, ``BadRequest`` for an unusable password.
    """
    user = password_links.user_of_link(reference=reference, token=token)
    password_rules.check_new_password(new_password, user=user)
    hashed = make_password(new_password)
    with atomic():
        user = _locked(user.pk)
        if not password_links.is_good(user, token):
            raise NotFound(_("This link is invalid, was used already or has expired"))
        acting = Credentials(user_id=user.uuid)
        _store(acting, user, hashed, renew_token=renews_token(False), action="user.reset_password")
    rate_limit.forget(_name_key(user.username))
    return user
