"""Users as other programs of the site administer them (identity contract 1.7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db.models import Prefetch

from astakos.logic import accounts, auth_providers, projects, sessions, terms, token_renewal, tokens, users
from astakos.logic.user_changes import hashed_password
from astakos.models import User, UserAuthProvider
from synnefo import audit, crypto
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows
from synnefo.errors import Conflict, NotFound

_LOCAL = "local"
_BATCH = 1000
_PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class MethodRecord:
    """A login method; ``identifier`` is the mail address for passwords."""

    identifier: str
    active: bool
    affiliation: str
    backend: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user as the API shows it."""

    uuid: str
    first_name: str
    last_name: str
    email: str
    is_active: bool
    is_rejected: bool
    rejected_reason: str
    deactivated_reason: str
    accepted_policy: str
    roles: Sequence[str]
    methods: Sequence[MethodRecord]
    date_joined: dt.datetime
    moderated_at: dt.datetime | None
    verified_at: dt.datetime | None
    auth_token_expires: dt.datetime


@dataclass(frozen=True, slots=True)
class UserFields:
    """What a caller says about a user; ``None`` leaves a field alone."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    password: str | None = None
    affiliation: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user who was just created, with the secrets that are shown once."""

    uuid: str
    password: str
    token: str


def list_users() -> Iterator[UserRecord]:
    """Yield all users by id: three queries for every thousand, one thousand in memory."""
    last = 0
    while True:
        batch = list(_rows().filter(pk__gt=last).order_by("pk")[:_BATCH])
        yield from map(_record, batch)
        if len(batch) < _BATCH:
            return
        last = batch[-1].pk


def show(*, uuid: str) -> UserRecord:
    """Return one user; raises ``NotFound``."""
    user = _rows().filter(uuid=uuid).first()
    if user is None:
        raise NotFound(f"User {uuid} does not exist")
    return _record(user)


def _rows() -> Any:
    return User.objects.prefetch_related("groups", Prefetch("auth_providers"))


def _record(user: User) -> UserRecord:
    return UserRecord(
        uuid=user.uuid,
        first_name=user.first_name,
        last_name=user.last_name,
        email=user.email,
        is_active=user.is_active,
        is_rejected=user.is_rejected,
        rejected_reason=user.rejected_reason,
        deactivated_reason=user.deactivated_reason,
        accepted_policy=user.accepted_policy,
        roles=[group.name for group in user.groups.all()],
        methods=[_method(user, row) for row in user.auth_providers.all()],
        date_joined=user.date_joined,
        moderated_at=user.moderated_at,
        verified_at=user.verified_at,
        auth_token_expires=user.auth_token_expires,
    )


def _method(user: User, row: UserAuthProvider) -> MethodRecord:
    return MethodRecord(
        identifier=user.email if row.module == _LOCAL else row.identifier,
        active=row.active,
        affiliation=row.affiliation,
        backend=row.module,
        metadata=row.info_data,
    )


def create(credentials: Credentials, *, fields: UserFields) -> NewUser:
    """Create a user who logs in with a password, verified, accepted and with the terms signed; no mails.

    An account with the address that was never verified is deleted. Raises ``Conflict`` when a verified one
    has it, ``BadRequest`` for unusable fields.
    """
    email = users.normalized_email(fields.email or "")
    password = fields.password if fields.password is not None else crypto.new_token(_PASSWORD_BYTES)
    with atomic():
        for namesake in lock_rows(User.objects.filter(username=email, email_verified=False)):
            accounts.delete(credentials, user_id=namesake.pk)
        user = users.create(
            credentials,
            email=email,
            first_name=fields.first_name or "",
            last_name=fields.last_name or "",
            password=password,
        )
        _describe_local_method(user, fields)
        accounts.verify(credentials, user_id=user.pk, notify=False)
        user = User.objects.get(pk=user.pk)
        if not user.is_accepted:
            user = accounts.accept(credentials, user_id=user.pk, policy="manual", notify=False)
        terms.sign(credentials, user_id=user.pk)
    return NewUser(user.uuid, password, tokens.user_token(user))


def _describe_local_method(user: User, fields: UserFields) -> None:
    changes: dict[str, Any] = {}
    if fields.affiliation is not None:
        changes["affiliation"] = fields.affiliation[: auth_providers.MAX_AFFILIATION_LENGTH]
    if fields.metadata is not None:
        changes["info_data"] = dict(fields.metadata)
    if changes:
        user.auth_providers.filter(module=_LOCAL).update(**changes)


def modify(credentials: Credentials, *, uuid: str, fields: UserFields) -> UserRecord:
    """Change what *fields* name; another address is another login name as well.

    Raises ``NotFound``, ``Conflict`` for an address in use, ``BadRequest`` for unusable fields.
    """
    hashed = None if fields.password is None else hashed_password(fields.password)
    with atomic():
        user = _locked(uuid)
        if fields.first_name is not None:
            user.first_name = users.check_name(fields.first_name, "first name")
        if fields.last_name is not None:
            user.last_name = users.check_name(fields.last_name, "last name")
        if hashed is not None:
            user.password = hashed
            sessions.end_sessions(user)
        user.save()
        if fields.email is not None and users.normalized_email(fields.email) != user.email:
            users.set_email(credentials, user_id=user.pk, email=fields.email)
        _describe_local_method(user, fields)
        audit.record(
            credentials, "user.modify", f"user:{uuid}", password_changed=hashed is not None, by="admin API"
        )
    return show(uuid=uuid)


def _locked(uuid: str) -> User:
    try:
        return lock_one(User.objects.filter(uuid=uuid))
    except User.DoesNotExist:
        raise NotFound(f"User {uuid} does not exist") from None


def _id_of(uuid: str) -> int:
    key = User.objects.filter(uuid=uuid).values_list("pk", flat=True).first()
    if key is None:
        raise NotFound(f"User {uuid} does not exist")
    return key


def set_active(credentials: Credentials, *, uuid: str, active: bool, reason: str = "") -> bool:
    """Let an accepted user in or shut him out; returns whether he is active now.

    Raises ``NotFound``, ``MethodNotAllowed`` when the account's state forbids it.
    """
    if active:
        return accounts.activate(credentials, user_id=_id_of(uuid)).is_active
    return accounts.deactivate(credentials, user_id=_id_of(uuid), reason=reason).is_active


def renew_token(credentials: Credentials, *, uuid: str) -> str:
    """Give a user a new token and return it; his browser sessions end. Raises ``NotFound``."""
    return token_renewal.renew_token(credentials, user_id=_id_of(uuid), end_sessions_besides=None)


def sign_terms(credentials: Credentials, *, uuid: str) -> bool:
    """Sign the terms in force on a user's behalf; raises ``NotFound``."""
    return terms.sign(credentials, user_id=_id_of(uuid)).has_signed_terms


def set_default_project(credentials: Credentials, *, uuid: str, project: str) -> str:
    """Choose what a user's new resources are charged to and return it."""
    _id_of(uuid)
    projects.set_default_project(credentials, user_id=uuid, project=project)
    return project


# -- accounts that Django made -----------------------------------------------------------------------------


def complete_superusers(credentials: Credentials) -> int:
    """Give superusers made by Django's own command what every account has; return how many it were.

    The address still has to be verified and the account accepted (administrator's contract 2.1).
    """
    completed = 0
    with atomic():
        for user in lock_rows(User.objects.filter(is_superuser=True)):
            if user.auth_token and user.auth_providers.exists():
                continue
            _complete(credentials, user)
            completed += 1
    return completed


def _complete(credentials: Credentials, user: User) -> None:
    email = users.normalized_email(user.email)
    if User.objects.filter(username=email).exclude(pk=user.pk).exists():
        raise Conflict(f"There is already a user with the e-mail address {email}")
    user.email = user.username = email
    if not user.auth_token:
        tokens.set_user_token(user, tokens.unused_token())
    if not user.verification_code:
        user.verification_code = crypto.new_token()
    if not user.password:
        user.password = make_password(None)
    terms.mark_signed(user)
    user.save()
    auth_providers.attach(user, module=_LOCAL)
    audit.record(credentials, "user.complete", f"user:{user.uuid}")
