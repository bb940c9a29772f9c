"""The account state machine: verified, moderated, active (identity contract 4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import auth_providers, mails, password_links, projects, sessions, token_renewal, users
from astakos.models import User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import Conflict, MethodNotAllowed, NotFound

_MAX_CODE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of an account: when it is allowed and why it was not."""

    allowed: Callable[[User], bool]
    refusal: Callable[[User], str]


def _refusal_of_acceptance(user: User) -> str:
    return "the account is already accepted" if user.email_verified else "the e-mail address is not verified"


def _refusal_of_rejection(user: User) -> str:
    return "the account is already moderated" if user.email_verified else "the e-mail address is not verified"


def _refusal_of_switch(user: User) -> str:
    return "the account is already active" if user.is_active else "the account is not accepted"


TRANSITIONS = {
    "send_verification": Transition(
        lambda user: not user.email_verified, lambda user: "the e-mail address is already verified"
    ),
    "verify": Transition(
        lambda user: not user.email_verified, lambda user: "the e-mail address is already verified"
    ),
    "accept": Transition(lambda user: user.email_verified and not user.is_accepted, _refusal_of_acceptance),
    "reject": Transition(
        lambda user: user.email_verified and not user.moderated and not user.is_active, _refusal_of_rejection
    ),
    "activate": Transition(lambda user: user.is_accepted and not user.is_active, _refusal_of_switch),
    "deactivate": Transition(lambda user: user.is_accepted, lambda user: "the account is not accepted"),
    "delete": Transition(
        lambda user: not user.is_accepted and user.base_project_id is None,
        lambda user: "the account was accepted; only never-accepted users can be deleted",
    ),
}


def _locked(user_id: int, transition: str) -> User:
    """Lock the user and check that *transition* is allowed; raises ``MethodNotAllowed`` with the reason."""
    try:
        user = lock_one(User.objects.filter(pk=user_id))
    except User.DoesNotExist:
        raise NotFound(f"User with ID {user_id} does not exist") from None
    rule = TRANSITIONS[transition]
    if not rule.allowed(user):
        raise MethodNotAllowed(f"Cannot {transition.replace('_', ' ')} {user.username}: {rule.refusal(user)}")
    return user


def send_verification(credentials: Credentials, *, user_id: int) -> User:
    """Mail a new verification link; links sent before die."""
    with atomic():
        user = _locked(user_id, "send_verification")
        user.verification_code = crypto.new_token()
        user.activation_sent = clock.now()
        user.save(update_fields=["verification_code", "activation_sent", "updated"])
        mails.send_to_user(
            "activation",
            "VERIFICATION_EMAIL_SUBJECT",
            gettext_noop("%(service)s account verification"),
            user=user,
            context={"user": user, "url": mails.activation_url(user)},
        )
        audit.record(credentials, "user.send_verification", f"user:{user.uuid}")
    return user


def verify(credentials: Credentials, *, user_id: int, notify: bool = True) -> User:
    """Mark the address as verified, then accept at once where policy says so, else ask the moderators.

    Raises ``Conflict`` when another account proved the same address meanwhile.
    """
    with atomic():
        user = _locked(user_id, "verify")
        _mark_verified(user)
        audit.record(credentials, "user.verify", f"user:{user.uuid}")
        policy = _automatic_policy(user)
        if policy is not None:
            _let_in(credentials, user, policy=policy, notify=notify)
        elif notify:
            mails.send_to_staff(
                "moderation",
                "ACCOUNT_CREATION_SUBJECT",
                gettext_noop("%(service)s account created (%(email)s)"),
                to=mails.account_recipients("ACCOUNT_PENDING_MODERATION_RECIPIENTS"),
                context={"user": user},
                email=user.email,
            )
    return user


def _mark_verified(user: User) -> None:
    users.check_email_is_free(user.email, besides=user.pk)
    user.email_verified = True
    user.verified_at = clock.now()
    # The old code is used up; a new one keeps the column unique without saying whose it was.
    user.verification_code = crypto.new_token()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        raise Conflict(f"There is already a user with the e-mail address {user.email}") from error


def find_by_code(*, code: str) -> User:
    """Return the user who was mailed *code* and did not use it yet; raises ``NotFound``."""
    usable = 1 <= len(code) <= _MAX_CODE_LENGTH and code.isascii() and code.isprintable()
    user = User.objects.filter(verification_code=code, email_verified=False).first() if usable else None
    if user is None:
        raise NotFound(_("This link is invalid or was used already"))
    return user


def verify_by_code(*, code: str) -> User:
    """Verify the address of the user who was mailed *code* (identity contract 4.3).

    The answer tells by ``is_active`` whether the account was accepted at once; it then has a fresh token.
    Raises ``NotFound`` for a code that is unknown or used up, also when somebody uses it at this moment.
    """
    user = find_by_code(code=code)
    with atomic():
        user = lock_one(User.objects.filter(pk=user.pk))
        expected = user.verification_code or ""
        if user.email_verified or not crypto.constant_time_equal(expected, code):
            raise NotFound(_("This link is invalid or was used already"))
        acting = Credentials(user_id=user.uuid)
        user = verify(acting, user_id=user.pk)
        if user.is_active:
            token_renewal.renew_token(acting, user_id=user.pk)
            user.refresh_from_db()
    return user


def _automatic_policy(user: User) -> str | None:
    """Return the policy that lets a verified user in without a moderator, if any (identity contract 4.2)."""
    if not settings.ASTAKOS_MODERATION_ENABLED:
        return "auto_moderation"
    if any(re.match(pattern, user.email) for pattern in settings.ASTAKOS_RE_USER_EMAIL_PATTERNS):
        return "email"
    for row in user.auth_providers.filter(active=True):
        if not auth_providers.is_enabled(row.module):
            continue
        if auth_providers.provider(row.module, user=user).policy.automoderate:
            return f"auth_provider_{row.module}"
    return "already_moderated" if user.moderated and not user.is_rejected else None


def accept(credentials: Credentials, *, user_id: int, policy: str = "manual", notify: bool = True) -> User:
    """Let a verified user in: system project, quota, activation; also after an earlier rejection."""
    with atomic():
        user = _locked(user_id, "accept")
        _let_in(credentials, user, policy=policy, notify=notify)
    return user


def _let_in(credentials: Credentials, user: User, *, policy: str, notify: bool) -> None:
    user.moderated = True
    user.moderated_at = clock.now()
    user.moderated_data = {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "affiliation": user.affiliation,
    }
    user.accepted_policy = policy
    user.accepted_email = user.email
    user.is_rejected, user.rejected_reason = False, ""
    user.is_active = True
    user.deactivated_reason, user.deactivated_at = "", None
    if user.base_project_id is None:
        projects.create_system_project(user)
    user.save()
    audit.record(credentials, "user.accept", f"user:{user.uuid}", policy=policy)
    if notify:
        _announce_acceptance(user)


def _announce_acceptance(user: User) -> None:
    modules = ", ".join(user.auth_providers.values_list("module", flat=True))
    mails.send_to_staff(
        "accepted",
        "HELPDESK_NOTIFICATION_EMAIL_SUBJECT",
        gettext_noop("%(service)s account activated (%(email)s)"),
        to=mails.account_recipients("ACCOUNT_ACTIVATED_RECIPIENTS"),
        context={"user": user, "provider": modules},
        email=user.email,
    )
    mails.send_to_user(
        "welcome",
        "GREETING_EMAIL_SUBJECT",
        gettext_noop("Welcome to %(service)s"),
        user=user,
        context={"user": user, "url": mails.page_url("login")},
    )
    if password_links.has_to_choose(user):
        password_links.mail_choice(user)


def reject(credentials: Credentials, *, user_id: int, reason: str = "") -> User:
    """Turn a verified user down; ``ASTAKOS_REJECTION_MAIL_ENABLED`` says whether a mail tells why."""
    with atomic():
        user = _locked(user_id, "reject")
        user.moderated = True
        user.moderated_at = clock.now()
        user.is_rejected, user.rejected_reason = True, reason
        user.save()
        audit.record(credentials, "user.reject", f"user:{user.uuid}", reason=reason)
        if settings.ASTAKOS_REJECTION_MAIL_ENABLED:
            mails.send_to_user(
                "rejected",
                "REJECTION_EMAIL_SUBJECT",
                gettext_noop("Your account at %(service)s"),
                user=user,
                context={"user": user, "reason": reason},
            )
    return user


@retry_on_deadlock
def activate(credentials: Credentials, *, user_id: int) -> User:
    """Let an accepted user back in; what the deactivation suspended resumes."""
    with atomic():
        user = _locked(user_id, "activate")
        user.is_active = True
        user.deactivated_reason, user.deactivated_at = "", None
        user.save()
        projects.unsuspend_for_user(user)
        audit.record(credentials, "user.activate", f"user:{user.uuid}")
    return user


@retry_on_deadlock
def deactivate(credentials: Credentials, *, user_id: int, reason: str = "") -> User:
    """Shut an accepted user out at once; projects and memberships are suspended.

    The token is refused from now on, sessions and tokens issued in its place end.
    """
    with atomic():
        user = _locked(user_id, "deactivate")
        user.is_active = False
        user.deactivated_reason, user.deactivated_at = reason, clock.now()
        user.save()
        sessions.end_everything(user)
        projects.suspend_for_user(user)
        audit.record(credentials, "user.deactivate", f"user:{user.uuid}", reason=reason)
    return user


def delete(credentials: Credentials, *, user_id: int) -> None:
    """Delete a user who was never accepted."""
    with atomic():
        user = _locked(user_id, "delete")
        audit.record(credentials, "user.delete", f"user:{user.uuid}", email=user.email)
        user.delete()


def status_text(user: User) -> str:
    """Return where the account stands, in the words that staff read (identity contract 4.1)."""
    if not user.email_verified:
        return "Pending email verification"
    if not user.moderated:
        return "Pending moderation"
    if user.is_rejected:
        return f"Rejected ({user.rejected_reason})" if user.rejected_reason else "Rejected"
    how = f" (accepted policy: {user.accepted_policy})" if user.accepted_policy else ""
    if user.is_active:
        return f"Accepted/Active{how}"
    reason = f" ({user.deactivated_reason})" if user.deactivated_reason else ""
    return f"Accepted/Inactive{reason}{how}"
