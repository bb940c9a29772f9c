"""Invitations: users bring others in, as many as their level allows (identity contract 5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import mails, users
from astakos.models import Invitation, User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

_MAX_CODE_LENGTH = 255
_MAX_NAME_LENGTH = 61


@dataclass(frozen=True, slots=True)
class Allowance:
    """A user's level and how many people he may still invite."""

    level: int
    invitations: int


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """An invitation as its sender sees it; ``consumed`` is when the guest signed up."""

    realname: str
    email: str
    created: dt.datetime
    consumed: dt.datetime | None


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """What a user may send and has sent."""

    remaining: int
    sent: Sequence[SentInvitation]
    #: Continues the list of what was sent, ``None`` at its end.
    next: int | None


def allowance(*, inviter_level: int | None = None) -> Allowance:
    """Return what a new user starts with, invited by somebody of *inviter_level* or by nobody."""
    level = settings.ASTAKOS_DEFAULT_USER_LEVEL if inviter_level is None else inviter_level + 1
    return Allowance(level, max(0, int(settings.ASTAKOS_INVITATIONS_PER_LEVEL.get(level, 0))))


def check_enabled() -> None:
    """Raise ``NotFound`` where users cannot invite others."""
    if not settings.ASTAKOS_INVITATIONS_ENABLED:
        raise NotFound(_("There are no invitations here"))


def overview(*, user_id: int, before: int | None = None, limit: int = 50) -> InvitationPage:
    """Return what the user may send and at most *limit* that he sent, newest first.

    Raises ``NotFound`` if disabled.
    """
    check_enabled()
    remaining = User.objects.values_list("invitations", flat=True).get(pk=user_id)
    invitations = Invitation.objects.filter(inviter_id=user_id)
    if before is not None:
        invitations = invitations.filter(pk__lt=before)
    found = list(invitations.order_by("-pk")[: limit + 1])
    rows = found[:limit]
    sent = [SentInvitation(row.realname, row.email, row.created, row.consumed) for row in rows]
    return InvitationPage(remaining, sent, rows[-1].pk if len(found) > limit else None)


def send(credentials: Credentials, *, user_id: int, realname: str, email: str) -> None:
    """Invite somebody by mail; only the mail holds the code.

    Raises ``Forbidden`` when no invitation is left, ``Conflict`` for somebody this user invited already,
    ``BadRequest`` for an unusable name or address, ``NotFound`` if disabled.
    """
    check_enabled()
    email = users.normalized_email(email)
    realname = realname.strip()
    if not 1 <= len(realname) <= _MAX_NAME_LENGTH or not realname.isprintable():
        raise BadRequest(_("A name has 1 to %(limit)s characters") % {"limit": _MAX_NAME_LENGTH})
    code = crypto.new_token()
    with atomic():
        left = User.objects.filter(pk=user_id, invitations__gt=0).update(invitations=F("invitations") - 1)
        if not left:
            raise Forbidden(_("You have no invitations left"))
        inviter = User.objects.get(pk=user_id)
        invitation, created = Invitation.objects.get_or_create(
            inviter=inviter,
            email=email,
            defaults={
                "realname": realname,
                "code_digest": crypto.token_digest(code),
                "created": clock.now(),
            },
        )
        if not created:
            raise Conflict(_("You have invited %(email)s already") % {"email": email})
        mails.send_to_guest(
            "invitation",
            "INVITATION_EMAIL_SUBJECT",
            gettext_noop("Invitation to %(service)s"),
            to=email,
            context={"invitation": invitation, "url": mails.page_url(f"signup?code={quote(code)}")},
        )
        audit.record(credentials, "invitation.send", f"user:{inviter.uuid}", email=email)


def find(*, code: str) -> Invitation:
    """Return the invitation with *code* that nobody used yet; raises ``NotFound``."""
    check_enabled()
    digest = crypto.token_digest(code[:_MAX_CODE_LENGTH])
    found = Invitation.objects.select_related("inviter").filter(code_digest=digest, consumed=None).first()
    if found is None:
        raise NotFound(_("This invitation is invalid or was used already"))
    return found


def consume(*, code: str) -> Invitation:
    """Use up an invitation in the caller's transaction and return it; raises ``NotFound``."""
    found = find(code=code)
    row = lock_one(Invitation.objects.filter(pk=found.pk))
    if row.consumed is not None:
        raise NotFound(_("This invitation is invalid or was used already"))
    Invitation.objects.filter(pk=row.pk).update(consumed=clock.now())
    return found
