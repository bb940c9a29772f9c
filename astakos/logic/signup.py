"""Signing up: from a form to an account (identity contract 4.2, 4.3).

What a visitor is told never depends on whether an address has an account: its owner is told by mail.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from astakos.logic import (
    accounts,
    auth_providers,
    invitations,
    limited,
    mails,
    password_links,
    preferences,
    terms,
    third_party,
    tokens,
    users,
)
from astakos.logic.external_identity import forced_fields
from astakos.logic.password_rules import check_new_password
from astakos.models import Invitation, User
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_rows
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, SynnefoError, TooManyRequests

#: Another sign-up with the same address may get in between; the later one wins.
_ATTEMPTS = 3
_RESEND_PURPOSE = "astakos.resend"
_MAX_REFERENCE_LENGTH = 1024


class Outcome(enum.StrEnum):
    """What follows after a sign-up; visitors cannot tell the last from ``PENDING_VERIFICATION``."""

    ACTIVE = "active"
    PENDING_VERIFICATION = "pending_verification"
    PENDING_MODERATION = "pending_moderation"
    ADDRESS_IN_USE = "address_in_use"


@dataclass(frozen=True, slots=True)
class SignUpResult:
    """The new user, who is ``None`` when the address is in use."""

    user: User | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Prefilled:
    """What a sign-up form starts with, and which of its fields cannot be changed."""

    email: str = ""
    first_name: str = ""
    last_name: str = ""
    forced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Application:
    """A checked request for an account; ``password`` is hashed."""

    module: str
    email: str
    first_name: str
    last_name: str
    password: str
    identifier: str = ""
    info: Mapping[str, Any] | None = None
    affiliation: str = ""


def prefilled(*, third_party_token: str = "", invitation_code: str = "") -> tuple[str, Prefilled]:
    """Return the login method of a sign-up and what is known of the person.

    Raises ``NotFound`` for a token or code that is unknown or used up.
    """
    if third_party_token:
        pending = third_party.find_pending(token=third_party_token)
        forced = frozenset(name for name in forced_fields(pending.provider) if getattr(pending, name))
        known = Prefilled(pending.email, pending.first_name, pending.last_name, forced)
        return pending.provider, known
    if invitation_code:
        invitation = invitations.find(code=invitation_code)
        first, _space, last = invitation.realname.partition(" ")
        limit = users.MAX_NAME_LENGTH
        return "local", Prefilled(invitation.email, first[:limit], last[:limit])
    return "local", Prefilled()


def check_may_sign_up(module: str) -> None:
    """Raise ``Forbidden`` when the CREATE policy of *module* is off, ``NotFound`` when it is disabled."""
    chosen = auth_providers.provider(module)
    if not chosen.policy.create:
        raise Forbidden(chosen.create_disabled)


def sign_up(
    *,
    module: str,
    email: str,
    first_name: str,
    last_name: str,
    password: str | None = None,
    terms_signed: bool = False,
    third_party_token: str | None = None,
    invitation_code: str | None = None,
) -> SignUpResult:
    """Create an account for a visitor.

    Earlier accounts with the address that were never verified are deleted; then no password of theirs or of
    this sign-up counts, and the owner chooses one by a mail once the address is proved. When a verified user
    has it, its owner is mailed instead. Raises ``Forbidden`` when policy lets nobody sign up with *module*,
    ``NotFound`` for an unusable token or code, ``BadRequest`` for the fields.
    """
    check_may_sign_up(module)
    if (module != "local") is not bool(third_party_token):
        raise BadRequest(_("This login method cannot be used for a sign-up in this way"))
    if not terms_signed and terms.current_id() is not None:
        raise BadRequest(_("You have to accept the terms of use"))
    application = _checked(module, email, first_name, last_name, password)
    for attempt in range(_ATTEMPTS):
        try:
            with atomic():
                return _sign_up(application, third_party_token or "", invitation_code or "")
        except IntegrityError:
            if attempt == _ATTEMPTS - 1:
                raise Conflict(_("Somebody else is using this address right now. Try again.")) from None
    raise AssertionError("unreachable")


def _checked(module: str, email: str, first_name: str, last_name: str, password: str | None) -> _Application:
    email = users.normalized_email(email)
    first_name = users.check_name(first_name.strip(), "first name")
    last_name = users.check_name(last_name.strip(), "last name")
    if module == "local":
        candidate = User(username=email, email=email, first_name=first_name, last_name=last_name)
        check_new_password(password or "", user=candidate)
    # Hashing takes long on purpose: before the transaction, and whether or not the address is in use.
    hashed = make_password(password if module == "local" else None)
    return _Application(module, email, first_name, last_name, hashed)


def _sign_up(application: _Application, token: str, code: str) -> SignUpResult:
    if token:
        application = _with_identity(application, token)
    namesakes = lock_rows(User.objects.filter(username=application.email))
    if any(user.email_verified for user in namesakes) or _is_verified_address(application.email):
        _tell_owner(application.email)
        return SignUpResult(None, Outcome.ADDRESS_IN_USE)
    if token:
        third_party.claim(Credentials.administrator(), token=token)
    # Only those locked above: one that appeared since makes the insertion fail, and all is tried again.
    if namesakes and application.module == "local":
        # Either sign-up may be a stranger's, who must not have chosen the password that the owner activates.
        application = replace(application, password=make_password(None), info=password_links.CHOOSE_PASSWORD)
    for namesake in User.objects.filter(pk__in=[user.pk for user in namesakes]):
        accounts.delete(Credentials.administrator(), user_id=namesake.pk)
    invitation = invitations.consume(code=code) if code else None
    user = _create(application, invitation)
    return _first_steps(user, application.module, invitation)


def _with_identity(application: _Application, token: str) -> _Application:
    """Take from the provider what it knows better than the form."""
    pending = third_party.find_pending(token=token)
    if pending.provider != application.module:
        raise NotFound(_("This sign-up is not known or was completed already"))
    forced = {
        name: getattr(pending, name) for name in forced_fields(pending.provider) if getattr(pending, name)
    }
    if "email" in forced:
        forced["email"] = users.normalized_email(forced["email"])
    return replace(
        application,
        identifier=pending.identifier,
        info=pending.info,
        affiliation=pending.affiliation,
        **forced,
    )


def _is_verified_address(email: str) -> bool:
    return users.with_email(email).filter(email_verified=True).exists()


def _tell_owner(email: str) -> None:
    owner = users.with_email(email).filter(email_verified=True).first()
    if owner is None:
        owner = User.objects.get(username=email)
    try:
        limited.check_mail("in-use", email)
    except TooManyRequests:
        return
    mails.send_to_user(
        "address_in_use",
        "ADDRESS_IN_USE_EMAIL_SUBJECT",
        gettext_noop("Your account at %(service)s"),
        user=owner,
        context={"user": owner, "url": mails.page_url("login")},
    )


def _create(application: _Application, invitation: Invitation | None) -> User:
    start = invitations.allowance(inviter_level=invitation.inviter.level if invitation else None)
    user = User(
        username=application.email,
        email=application.email,
        first_name=application.first_name,
        last_name=application.last_name,
        password=application.password,
        verification_code=crypto.new_token(),
        affiliation=application.affiliation,
        level=start.level,
        invitations=start.invitations,
        date_joined=clock.now(),
        # Who has not chosen a language is written to in that of the form.
        preferences={preferences.SIGN_UP_LANGUAGE: translation.get_language() or ""},
    )
    tokens.set_user_token(user, tokens.unused_token())
    # Who signs up has accepted the terms there are (identity contract 4.4).
    terms.mark_signed(user)
    user.save()
    auth_providers.attach(
        user,
        module=application.module,
        identifier=application.identifier,
        info=application.info,
        affiliation=application.affiliation,
    )
    auth_providers.join_creation_groups(user, application.module)
    audit.record(
        Credentials(user_id=user.uuid),
        "user.sign_up",
        f"user:{user.uuid}",
        module=application.module,
        invited_by=invitation.inviter.uuid if invitation else None,
    )
    return user


def _first_steps(user: User, module: str, invitation: Invitation | None) -> SignUpResult:
    acting = Credentials(user_id=user.uuid)
    # The code of an invitation was mailed to its address: who has it reads that mail.
    proved = invitation is not None and invitation.email.lower() == user.email
    if not proved and not auth_providers.provider(module, user=user).policy.autoverify:
        user = accounts.send_verification(acting, user_id=user.pk)
        return SignUpResult(user, Outcome.PENDING_VERIFICATION)
    user = accounts.verify(acting, user_id=user.pk)
    return SignUpResult(user, Outcome.ACTIVE if user.is_active else Outcome.PENDING_MODERATION)


# -- sending the link again --------------------------------------------------------------------------------


def resend_reference(email: str) -> str:
    """Return a text for addresses of pages that only this service can read back as *email*."""
    return crypto.encrypt(email, _RESEND_PURPOSE)


def resend_verification(*, reference: str) -> None:
    """Mail a new link to the account behind *reference*, if it waits for one.

    Whether it does cannot be told from the outside. Raises ``TooManyRequests``.
    """
    if not 1 <= len(reference) <= _MAX_REFERENCE_LENGTH or not reference.startswith("v2:"):
        return
    try:
        email = crypto.decrypt(reference, _RESEND_PURPOSE)
    except ValueError:
        return
    limited.check_mail("activation", email)
    user = User.objects.filter(username=email.lower(), email_verified=False).first()
    if user is None:
        return
    try:
        accounts.send_verification(Credentials(user_id=user.uuid), user_id=user.pk)
    except SynnefoError:
        # The account was verified or deleted at this moment; the visitor is told the same either way.
        return
