"""Changing one's mail address, which the new address has to confirm (identity contract 4.3)."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import limited, mails, third_party, users
from astakos.models import EmailChange, User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

_KEY_BYTES = 20
_KEY_LENGTH = 2 * _KEY_BYTES


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A wish for another address that waits for its confirmation."""

    new_address: str
    requested: dt.datetime
    expires: dt.datetime


def _lifetime() -> dt.timedelta:
    return dt.timedelta(days=settings.ASTAKOS_EMAILCHANGE_ACTIVATION_DAYS)


def check_enabled(user: User) -> None:
    """Raise ``Forbidden`` where *user* cannot change the address: by setting, or a provider supplies it."""
    if not settings.ASTAKOS_EMAILCHANGE_ENABLED:
        raise Forbidden(_("Mail addresses cannot be changed here"))
    if "email" in third_party.read_only_fields(user):
        raise Forbidden(_("Your address comes from your login method and cannot be changed here"))


def pending(user: User) -> PendingChange | None:
    """Return what *user* waits for, ``None`` when nothing is pending."""
    row = EmailChange.objects.filter(user=user, requested_at__gt=clock.now() - _lifetime()).first()
    if row is None:
        return None
    return PendingChange(row.new_email_address, row.requested_at, row.requested_at + _lifetime())


def request(credentials: Credentials, *, user_id: int, new_address: str) -> PendingChange:
    """Mail a link to the new address and a notice to the old one; an earlier wish is forgotten.

    Raises ``Forbidden`` where that is not possible, ``BadRequest`` for an unusable address, ``Conflict``
    when a verified user has it, ``TooManyRequests``.
    """
    address = users.normalized_email(new_address)
    limited.check_mail("email-change-of", str(user_id))
    key = secrets.token_hex(_KEY_BYTES)
    with atomic():
        user = lock_one(User.objects.filter(pk=user_id))
        check_enabled(user)
        if address == user.email.lower():
            raise BadRequest(_("This is your address already"))
        if users.with_email(address).filter(email_verified=True).exists():
            raise Conflict(_("This address is in use"))
        change, _created = EmailChange.objects.update_or_create(
            user=user,
            defaults={
                "new_email_address": address,
                "requested_at": clock.now(),
                "activation_key_digest": crypto.token_digest(key),
            },
        )
        _announce(change, key)
        audit.record(credentials, "user.request_email_change", f"user:{user.uuid}", address=address)
    return PendingChange(address, change.requested_at, change.requested_at + _lifetime())


def _announce(change: EmailChange, key: str) -> None:
    context = {
        "ec": change,
        "url": mails.page_url(f"email_change/confirm/{key}"),
        "expires": change.requested_at + _lifetime(),
    }
    mails.send_to_user(
        "email_change_new",
        "EMAIL_CHANGE_NEW_EMAIL_SUBJECT",
        gettext_noop("Confirm your new address on %(service)s"),
        user=change.user,
        to=change.new_email_address,
        context=context,
    )
    mails.send_to_user(
        "email_change_old",
        "EMAIL_CHANGE_OLD_EMAIL_SUBJECT",
        gettext_noop("Change of your address on %(service)s"),
        user=change.user,
        # Who reads the old address must not be able to confirm the new one.
        context={**context, "url": ""},
    )


def cancel(credentials: Credentials, *, user_id: int) -> bool:
    """Forget what is pending and tell whether there was anything."""
    with atomic():
        deleted, _rows = EmailChange.objects.filter(user_id=user_id).delete()
        if deleted:
            audit.record(credentials, "user.cancel_email_change", f"user:{credentials.user_id}")
    return bool(deleted)


def find(*, key: str, visitor: User | None) -> EmailChange:
    """Return the wish that *key* confirms; raises ``NotFound`` when it is unknown or too old.

    Raises ``Forbidden`` when *visitor* is somebody else's session.
    """
    usable = len(key) == _KEY_LENGTH and settings.ASTAKOS_EMAILCHANGE_ENABLED
    change = (
        EmailChange.objects.select_related("user")
        .filter(activation_key_digest=crypto.token_digest(key), requested_at__gt=clock.now() - _lifetime())
        .first()
        if usable
        else None
    )
    if change is None:
        raise NotFound(_("This link is invalid, was used already or has expired"))
    if visitor is not None and visitor.pk != change.user_id:
        raise Forbidden(_("This link belongs to another account. Sign out first."))
    return change


def confirm(*, key: str, visitor: User | None) -> User:
    """Give the user the new address, which is the new login name as well; uuid and token stay.

    Raises what ``find`` raises, and ``Conflict`` when any account has the address meanwhile.
    """
    with atomic():
        change = find(key=key, visitor=visitor)
        user = lock_one(User.objects.filter(pk=change.user_id))
        # Behind the lock of its user the wish can be neither replaced nor confirmed by somebody else.
        change = find(key=key, visitor=visitor)
        address = change.new_email_address
        if users.with_email(address).exclude(pk=user.pk).exists():
            raise Conflict(_("This address is in use"))
        user = users.set_email(Credentials(user_id=user.uuid), user_id=user.pk, email=address)
    return user


def delete_expired() -> int:
    """Delete wishes that nobody confirmed in time and return how many."""
    return EmailChange.objects.filter(requested_at__lte=clock.now() - _lifetime()).delete()[0]
