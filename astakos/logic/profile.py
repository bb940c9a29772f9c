"""What the profile page shows and saves: names, sessions, a repeated password (web contract 8, A-08)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import check_password

from astakos.logic import third_party
from astakos.logic.sessions import end_sessions
from astakos.models import (
    MembershipState,
    ProjectApplication,
    ProjectMembership,
    SessionCatalog,
    User,
)
from astakos.models.application import ApplicationState
from synnefo import audit, rate_limit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Forbidden, SynnefoError
from synnefo.texts import sentence

MAX_NAME_LENGTH = 30
_PASSWORD_ATTEMPTS = 10
_PASSWORD_PERIOD_SECONDS = 600


class TooManyAttempts(SynnefoError):
    """A password was tried too often."""

    code = 429
    name = "overLimit"


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """A browser in which the user is signed in."""

    user_agent: str
    created: datetime
    is_current: bool


def browser_sessions(user: User, *, current: str) -> list[BrowserSession]:
    """Return where *user* is signed in, newest first; *current* is the key of the session that asks."""
    rows = SessionCatalog.objects.filter(user=user).order_by("-created")[:50]
    return [BrowserSession(row.user_agent, row.created, row.session_key == current) for row in rows]


def end_other_sessions(credentials: Credentials, *, user: User, current: str) -> int:
    """Sign *user* out everywhere else; return how many sessions ended."""
    with atomic():
        ended = end_sessions(user, besides=current)
        audit.record(credentials, "user.end_sessions", f"user:{user.uuid}", ended=ended)
    return ended


def save_names(credentials: Credentials, *, user_id: int, first_name: str, last_name: str) -> None:
    """Change the names of a user; those that a login method supplies stay as they are.

    Raises ``BadRequest`` for names nobody could read.
    """
    for value, what in ((first_name, "first name"), (last_name, "last name")):
        if not 1 <= len(value) <= MAX_NAME_LENGTH or not value.isprintable():
            raise BadRequest(
                sentence(
                    "The %(what)s must have 1 to %(limit)s printable characters",
                    what=what,
                    limit=MAX_NAME_LENGTH,
                )
            )
    with atomic():
        user = lock_one(User.objects.filter(pk=user_id))
        given = {"first_name": first_name, "last_name": last_name}
        changed = [name for name in given if name not in third_party.read_only_fields(user)]
        for name in changed:
            setattr(user, name, given[name])
        user.save(update_fields=[*changed, "updated"])
        audit.record(credentials, "user.rename", f"user:{user.uuid}")


def mark_visited(user: User) -> None:
    """Note that *user* has seen the profile, which ``ASTAKOS_FORCE_PROFILE_UPDATE`` sends newcomers to."""
    if not user.is_verified:
        User.objects.filter(pk=user.pk).update(is_verified=True)


def has_password(user: User) -> bool:
    """Tell whether *user* can prove who he is by a password of this service."""
    return user.has_usable_password() and user.auth_providers.filter(module="local", active=True).exists()


def confirm_password(*, user: User, password: str) -> None:
    """Raise unless *password* is the user's; ``TooManyAttempts`` when it was tried too often."""
    key = f"confirm:{user.uuid}"
    attempts = rate_limit.count_attempt(key, limit=_PASSWORD_ATTEMPTS, period=_PASSWORD_PERIOD_SECONDS)
    if attempts.exceeded:
        raise TooManyAttempts("Too many attempts. Wait a few minutes and try again.")
    if not check_password(password, user.password):
        raise Forbidden("That is not your password")
    rate_limit.forget(key)


@dataclass(frozen=True, slots=True)
class PendingTasks:
    """What waits for this user or is waited for by him."""

    applications: int
    membership_requests: int


def pending_tasks(user: User) -> PendingTasks:
    """Return the user's applications under review and the people who ask to join his projects."""
    return PendingTasks(
        applications=ProjectApplication.objects.filter(
            applicant=user, state=ApplicationState.PENDING
        ).count(),
        membership_requests=ProjectMembership.objects.filter(
            project__owner=user, state__in=(MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED)
        ).count(),
    )
