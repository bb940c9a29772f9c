"""What follows when a provider has said who somebody is (identity contract 4.5, outcome table).

An account is only ever found by the provider's identifier, never by an e-mail address.
"""

from __future__ import annotations

import datetime as dt
import enum
import logging
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.utils.translation import gettext as _

from astakos.logic import accounts, auth_providers, users
from astakos.logic.external_identity import ExternalIdentity, forced_fields
from astakos.models import PendingThirdPartyUser, User, UserAuthProvider
from synnefo import audit, clock, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

log = logging.getLogger("astakos.third_party")

#: How long somebody may take to complete the sign-up form.
PENDING_LIFETIME = dt.timedelta(hours=24)
_NAME_LENGTH = 30
_MAX_GROUP_NAME = 150


class Kind(enum.StrEnum):
    """What the visitor is to see next."""

    LOG_IN = "log_in"
    INACTIVE = "inactive"
    LOGIN_DISABLED = "login_disabled"
    CREATE_DISABLED = "create_disabled"
    SIGN_UP = "sign_up"
    ALREADY_YOURS = "already_yours"
    IN_USE = "in_use"
    ADDED = "added"
    ADD_DISABLED = "add_disabled"
    SWITCHED = "switched"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an external login; ``token`` leads to the sign-up form."""

    kind: Kind
    user: User | None = None
    token: str = ""
    message: str = ""
    identity: ExternalIdentity | None = None


def resolve(
    identity: ExternalIdentity, *, visitor: User | None = None, switch_from: int | None = None
) -> Outcome:
    """Decide what an external login means for *visitor*, who is logged in or ``None``, and do it.

    ``switch_from`` is the id of the visitor's method whose identifier is to be replaced.
    """
    owner = auth_providers.owner_of(module=identity.module, identifier=identity.identifier)
    if visitor is not None:
        return _for_user(identity, visitor, owner, switch_from)
    if owner is not None:
        return _for_owner(identity, owner)
    chosen = auth_providers.provider(identity.module)
    if not chosen.policy.create:
        return Outcome(Kind.CREATE_DISABLED, message=chosen.create_disabled)
    return Outcome(Kind.SIGN_UP, token=remember(identity), identity=identity)


def _for_owner(identity: ExternalIdentity, owner: UserAuthProvider) -> Outcome:
    user = owner.user
    if not user.is_active:
        return Outcome(Kind.INACTIVE, user=user)
    chosen = auth_providers.provider(identity.module, user=user)
    if not chosen.policy.login:
        return Outcome(Kind.LOGIN_DISABLED, user=user, message=chosen.login_disabled)
    user = refresh(user_id=user.pk, method_id=owner.pk, identity=identity)
    return Outcome(Kind.LOG_IN, user=user, identity=identity)


def _for_user(
    identity: ExternalIdentity, visitor: User, owner: UserAuthProvider | None, switch_from: int | None
) -> Outcome:
    chosen = auth_providers.provider(identity.module, user=visitor)
    if owner is not None and owner.user_id == visitor.pk:
        return Outcome(Kind.ALREADY_YOURS, user=visitor)
    if owner is not None:
        return Outcome(
            Kind.IN_USE,
            user=visitor,
            message=_("Another account already uses this %(title)s login") % {"title": chosen.title},
        )
    credentials = Credentials(user_id=visitor.uuid)
    try:
        if switch_from is not None:
            _check_module(visitor, switch_from, identity.module)
            auth_providers.switch_method(
                credentials,
                method_id=switch_from,
                user_id=visitor.pk,
                identifier=identity.identifier,
                info=identity.info,
                affiliation=identity.affiliation,
            )
            return Outcome(Kind.SWITCHED, user=visitor)
        auth_providers.add_method(
            credentials,
            module=identity.module,
            user_id=visitor.pk,
            identifier=identity.identifier,
            info=identity.info,
            affiliation=identity.affiliation,
        )
    except Conflict as error:
        return Outcome(Kind.IN_USE, user=visitor, message=error.message)
    except (Forbidden, NotFound) as error:
        return Outcome(Kind.ADD_DISABLED, user=visitor, message=error.message)
    return Outcome(Kind.ADDED, user=visitor)


def _check_module(visitor: User, method_id: int, module: str) -> None:
    if not visitor.auth_providers.filter(pk=method_id, module=module).exists():
        raise NotFound(_("The account has no such login method"))


# -- people who have not signed up yet ---------------------------------------------------------------------


def remember(identity: ExternalIdentity) -> str:
    """Keep who somebody is until they sign up and return the token that proves it is them."""
    token = crypto.new_token()
    now = clock.now()
    PendingThirdPartyUser.objects.filter(created__lt=now - PENDING_LIFETIME).delete()
    PendingThirdPartyUser.objects.update_or_create(
        provider=identity.module,
        identifier=identity.identifier,
        defaults={
            "email": identity.email[:255],
            "first_name": identity.first_name[:_NAME_LENGTH],
            "last_name": identity.last_name[:_NAME_LENGTH],
            "affiliation": identity.affiliation[: auth_providers.MAX_AFFILIATION_LENGTH],
            "info": dict(identity.info),
            "token_digest": crypto.token_digest(token),
            "created": now,
        },
    )
    return token


def find_pending(*, token: str) -> PendingThirdPartyUser:
    """Return who has *token*; raises ``NotFound`` when unknown, too old or meanwhile signed up."""
    pending = PendingThirdPartyUser.objects.filter(
        token_digest=crypto.token_digest(token[:255]), created__gte=clock.now() - PENDING_LIFETIME
    ).first()
    if pending is None or auth_providers.owner_of(module=pending.provider, identifier=pending.identifier):
        raise NotFound(_("This sign-up is not known or was completed already"))
    return pending


def claim(credentials: Credentials, *, token: str) -> PendingThirdPartyUser:
    """Use up *token* in the caller's transaction and return whose it was.

    An earlier account of this person that was never verified is deleted. Raises ``NotFound`` when the token
    is unknown or the person got an account meanwhile.
    """
    pending = find_pending(token=token)
    try:
        pending = lock_one(PendingThirdPartyUser.objects.filter(pk=pending.pk))
    except PendingThirdPartyUser.DoesNotExist:
        raise NotFound(_("This sign-up is not known or was completed already")) from None
    earlier = User.objects.filter(
        auth_providers__module=pending.provider,
        auth_providers__identifier=pending.identifier,
        email_verified=False,
    )
    for user in earlier.distinct():
        if accounts.TRANSITIONS["delete"].allowed(user):
            accounts.delete(credentials, user_id=user.pk)
    PendingThirdPartyUser.objects.filter(pk=pending.pk).delete()
    return pending


def attach_pending(credentials: Credentials, *, user_id: int, token: str) -> UserAuthProvider:
    """Add the login method behind *token* to an account whose owner logged in another way.

    Raises what ``find_pending`` and ``auth_providers.add_method`` raise.
    """
    with atomic():
        pending = find_pending(token=token)
        row = auth_providers.add_method(
            credentials,
            user_id=user_id,
            module=pending.provider,
            identifier=pending.identifier,
            info=pending.info,
            affiliation=pending.affiliation,
        )
        pending.delete()
    return row


# -- what a provider keeps up to date ----------------------------------------------------------------------


def read_only_fields(user: User) -> frozenset[str]:
    """Return the fields of *user* that a provider supplies and nobody changes here."""
    modules = user.auth_providers.filter(active=True).values_list("module", flat=True)
    return frozenset(name for module in modules for name in forced_fields(module))


def refresh(*, user_id: int, method_id: int, identity: ExternalIdentity) -> User:
    """Take over what the provider says at a login: forced fields, groups, details of the method."""
    credentials = Credentials.administrator()
    with atomic():
        user = lock_one(User.objects.filter(pk=user_id))
        _force_names(user, identity)
        UserAuthProvider.objects.filter(pk=method_id).update(
            info_data=dict(identity.info),
            affiliation=identity.affiliation[: auth_providers.MAX_AFFILIATION_LENGTH],
        )
        if identity.groups is not None:
            _mirror_groups(credentials, user, identity)
        if "email" in identity.forced and identity.email.lower() != user.email.lower():
            _force_email(credentials, user, identity.email)
    return User.objects.get(pk=user_id)


def _force_names(user: User, identity: ExternalIdentity) -> None:
    changed = []
    for name in ("first_name", "last_name"):
        value = getattr(identity, name)[:_NAME_LENGTH]
        if name in identity.forced and value and getattr(user, name) != value:
            setattr(user, name, value)
            changed.append(name)
    if changed:
        user.save(update_fields=[*changed, "updated"])


def _force_email(credentials: Credentials, user: User, email: str) -> None:
    try:
        users.set_email(credentials, user_id=user.pk, email=email)
    except (Conflict, BadRequest) as error:
        log.warning("the address that a provider tells of user %s is not used: %s", user.uuid, error.message)


def _mirror_groups(credentials: Credentials, user: User, identity: ExternalIdentity) -> None:
    names = sorted({name for name in identity.groups or () if 1 <= len(name) <= _MAX_GROUP_NAME})
    before = set(user.groups.values_list("name", flat=True))
    if before == set(names):
        return
    user.groups.set(Group.objects.get_or_create(name=name)[0] for name in names)
    audit.record(credentials, "user.mirror_groups", f"user:{user.uuid}", module=identity.module, groups=names)
