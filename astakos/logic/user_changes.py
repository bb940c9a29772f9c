"""Everything an administrator may change about a user in one go (administrator's contract 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from astakos.logic import accounts, projects, sessions, terms, tokens, users
from astakos.models import User
from synnefo import audit, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, NotFound

_PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What to change; everything left at its default stays. Steps apply in the order of the fields."""

    admin: bool | None = None
    reject: bool = False
    reject_reason: str = ""
    verify: bool = False
    accept: bool = False
    default_project: str | None = None
    active: bool | None = None
    inactive_reason: str = ""
    invitations: int | None = None
    add_groups: Sequence[str] = ()
    delete_groups: Sequence[str] = ()
    add_permissions: Sequence[str] = ()
    delete_permissions: Sequence[str] = ()
    level: int | None = None
    password: str | None = None
    renew_password: bool = False
    renew_token: bool = False
    sign_terms: bool = False
    email: str | None = None


@dataclass(frozen=True, slots=True)
class UserChangeResult:
    """What happened, in sentences, with the new secrets that must be shown once."""

    messages: tuple[str, ...]
    password: str | None = None
    token: str | None = None


def modify(credentials: Credentials, *, user_id: int, changes: UserChanges) -> UserChangeResult:
    """Apply *changes* in one transaction; the first that cannot be applied undoes all.

    Raises ``MethodNotAllowed`` for a step the account's state forbids, ``NotFound`` for unknown groups or
    permissions, ``Conflict`` for an address in use.
    """
    password = crypto.new_token(_PASSWORD_BYTES) if changes.renew_password else changes.password
    if changes.password is not None and changes.renew_password:
        raise BadRequest("Give either a password or ask for a new one, not both")
    # Hashing takes long on purpose, so it happens before any lock is held.
    hashed = None if password is None else hashed_password(password)
    messages: list[str] = []
    with atomic():
        _change_state(credentials, user_id, changes, messages)
        user = _locked(user_id)
        if changes.invitations is not None:
            user.invitations = changes.invitations
        if changes.level is not None:
            user.level = changes.level
        _change_groups(user, changes, messages)
        if hashed is not None:
            user.password = hashed
            messages.append("Password changed")
        token = tokens.unused_token() if changes.renew_token else None
        if token is not None:
            tokens.set_user_token(user, token)
            sessions.end_derived_tokens(user)
        if hashed is not None:
            sessions.end_sessions(user)
        if changes.sign_terms:
            _sign_terms(user, messages)
        user.save()
        if changes.email is not None:
            users.set_email(credentials, user_id=user_id, email=changes.email)
            messages.append(f"E-mail address changed to {changes.email}")
        audit.record(
            credentials,
            "user.modify",
            f"user:{user.uuid}",
            add_groups=list(changes.add_groups),
            delete_groups=list(changes.delete_groups),
            add_permissions=list(changes.add_permissions),
            delete_permissions=list(changes.delete_permissions),
            password_changed=password is not None,
            token_renewed=token is not None,
        )
    return UserChangeResult(tuple(messages), password if changes.renew_password else None, token)


def _locked(user_id: int) -> User:
    try:
        return lock_one(User.objects.filter(pk=user_id))
    except User.DoesNotExist:
        raise NotFound(f"User with ID {user_id} does not exist") from None


def _change_state(credentials: Credentials, user_id: int, changes: UserChanges, messages: list[str]) -> None:
    if changes.admin is not None:
        user = _locked(user_id)
        user.is_superuser = changes.admin
        user.save(update_fields=["is_superuser", "updated"])
        audit.record(credentials, "user.set_admin", f"user:{user.uuid}", admin=changes.admin)
    if changes.reject:
        user = accounts.reject(credentials, user_id=user_id, reason=changes.reject_reason)
        messages.append(f"Account rejected ({user.email})")
    if changes.verify:
        user = accounts.verify(credentials, user_id=user_id)
        messages.append(f"Account verified ({user.email})")
        if user.is_accepted:
            messages.append("Account accepted and activated")
    if changes.accept and not (changes.verify and user.is_accepted):
        accounts.accept(credentials, user_id=user_id)
        messages.append("Account accepted and activated")
    if changes.default_project is not None:
        projects.set_default_project(
            credentials, user_id=_locked(user_id).uuid, project=changes.default_project
        )
    if changes.active is True:
        accounts.activate(credentials, user_id=user_id)
        messages.append("Account activated")
    elif changes.active is False:
        accounts.deactivate(credentials, user_id=user_id, reason=changes.inactive_reason)
        messages.append("Account deactivated")


def _change_groups(user: User, changes: UserChanges, messages: list[str]) -> None:
    user.groups.add(*(users.find_group(name) for name in changes.add_groups))
    user.groups.remove(*(users.find_group(name) for name in changes.delete_groups))
    user.user_permissions.add(*(users.find_permission(name, create=True) for name in changes.add_permissions))
    user.user_permissions.remove(*(users.find_permission(name) for name in changes.delete_permissions))
    if changes.add_groups or changes.delete_groups:
        messages.append(f"Groups: {', '.join(user.groups.values_list('name', flat=True)) or 'none'}")


def hashed_password(password: str) -> str:
    """Return what is stored of *password*; raises ``BadRequest`` for an unusable one."""
    if not 1 <= len(password) <= users.MAX_PASSWORD_LENGTH:
        raise BadRequest(f"A password has 1 to {users.MAX_PASSWORD_LENGTH} characters")
    return make_password(password)


def _sign_terms(user: User, messages: list[str]) -> None:
    terms.mark_signed(user)
    if user.signed_terms_id is None:
        messages.append("There are no terms of use to sign")
