"""The account state machine: verified, moderated, active (identity contract 4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from astakos.logic import mails, projects
from astakos.models import User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import MethodNotAllowed, NotFound


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
        mails.send(
            "activation",
            subject="Confirm your e-mail address",
            to=[user.email],
            context={"user": user, "url": mails.activation_url(user)},
        )
        audit.record(credentials, "user.send_verification", f"user:{user.uuid}")
    return user


def verify(credentials: Credentials, *, user_id: int, notify: bool = True) -> User:
    """Mark the address as verified, then accept at once where policy says so, else ask the moderators."""
    with atomic():
        user = _locked(user_id, "verify")
        user.email_verified = True
        user.verified_at = clock.now()
        user.verification_code = crypto.new_token()
        user.save()
        audit.record(credentials, "user.verify", f"user:{user.uuid}")
        policy = _automatic_policy(user)
        if policy is not None:
            return accept(credentials, user_id=user_id, policy=policy, notify=notify)
        if notify:
            mails.send(
                "moderation",
                subject="An account awaits moderation",
                to=mails.account_recipients("ACCOUNT_PENDING_MODERATION_RECIPIENTS"),
                context={"user": user},
            )
    return user


def _automatic_policy(user: User) -> str | None:
    if not settings.ASTAKOS_MODERATION_ENABLED:
        return "auto_moderation"
    if any(re.match(pattern, user.email) for pattern in settings.ASTAKOS_RE_USER_EMAIL_PATTERNS):
        return "email"
    return None


def accept(credentials: Credentials, *, user_id: int, policy: str = "manual", notify: bool = True) -> User:
    """Let a verified user in: system project, quota, activation; also after an earlier rejection."""
    with atomic():
        user = _locked(user_id, "accept")
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
    return user


def _announce_acceptance(user: User) -> None:
    mails.send(
        "accepted",
        subject="An account was accepted",
        to=mails.account_recipients("ACCOUNT_ACTIVATED_RECIPIENTS"),
        context={"user": user},
    )
    mails.send("welcome", subject="Welcome", to=[user.email], context={"user": user})


def reject(credentials: Credentials, *, user_id: int, reason: str = "") -> User:
    """Turn a verified user down."""
    with atomic():
        user = _locked(user_id, "reject")
        user.moderated = True
        user.moderated_at = clock.now()
        user.is_rejected, user.rejected_reason = True, reason
        user.save()
        audit.record(credentials, "user.reject", f"user:{user.uuid}", reason=reason)
    return user


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


def deactivate(credentials: Credentials, *, user_id: int, reason: str = "") -> User:
    """Shut an accepted user out: the token is refused from now on, projects and memberships suspended."""
    with atomic():
        user = _locked(user_id, "deactivate")
        user.is_active = False
        user.deactivated_reason, user.deactivated_at = reason, clock.now()
        user.save()
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
