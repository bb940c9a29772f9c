"""Application credentials: a secret of its own for one program, for one project (Keystone v3 dialect)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from astakos.logic.authentication import Identity
from astakos.models import ApplicationCredential, User
from synnefo import audit, clock, crypto
from synnefo.db.locks import atomic, lock_one
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

MAX_PER_USER = 100
MAX_LENGTH = 255
MIN_SECRET_LENGTH = 16


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that was just made, with the secret that is shown this once."""

    row: ApplicationCredential
    secret: str


def create(
    identity: Identity,
    *,
    name: str,
    description: str = "",
    secret: str | None = None,
    expires: dt.datetime | None = None,
    unrestricted: bool = False,
) -> NewCredential:
    """Make a credential of *identity* for the project of its token.

    Without *secret* one is made up. Raises ``BadRequest`` for a field that won't do, ``Conflict`` when the
    name is taken or the user has ``MAX_PER_USER`` already, ``Forbidden`` for what came from a restricted one.
    """
    _check_unrestricted(identity)
    _check_fields(name, secret, expires)
    secret = secret or crypto.new_token()
    with atomic():
        lock_one(User.objects.filter(pk=identity.id).only("id"))
        own = ApplicationCredential.objects.filter(user_id=identity.id)
        if own.filter(name=name).exists():
            raise Conflict(f"There is an application credential named '{name}' already")
        if own.count() >= MAX_PER_USER:
            raise Conflict(f"A user has at most {MAX_PER_USER} application credentials; delete one first")
        row = ApplicationCredential.objects.create(
            user_id=identity.id,
            name=name,
            description=description,
            project=identity.default_project,
            secret_digest=crypto.token_digest(secret),
            unrestricted=unrestricted,
            created=clock.now(),
            expires=expires,
        )
        audit.record(
            identity.credentials(), "application_credential.create", f"application_credential:{row.uuid}"
        )
    return NewCredential(row, secret)


def _check_fields(name: str, secret: str | None, expires: dt.datetime | None) -> None:
    if not name.strip():
        raise BadRequest("'name' must not be empty")
    if secret is not None and not MIN_SECRET_LENGTH <= len(secret) <= MAX_LENGTH:
        raise BadRequest(f"'secret' must have {MIN_SECRET_LENGTH} to {MAX_LENGTH} characters")
    if expires is not None and expires <= clock.now():
        raise BadRequest("'expires_at' is in the past")


def _check_unrestricted(identity: Identity) -> None:
    if identity.scope is not None and not identity.scope.unrestricted:
        raise Forbidden("A restricted application credential can neither make nor delete others")


def list_own(identity: Identity, *, name: str | None = None) -> list[ApplicationCredential]:
    """Return the user's credentials, of one *name* if given."""
    own = ApplicationCredential.objects.filter(user_id=identity.id)
    return list(own if name is None else own.filter(name=name))


def show(identity: Identity, *, uuid: str) -> ApplicationCredential:
    """Return one of the user's credentials; raises ``NotFound``."""
    row = ApplicationCredential.objects.filter(user_id=identity.id, uuid=uuid).first()
    if row is None:
        raise NotFound(f"There is no application credential '{uuid}'")
    return row


def delete(identity: Identity, *, uuid: str) -> None:
    """Delete one of the user's credentials and every token that came from it; raises ``NotFound``."""
    _check_unrestricted(identity)
    with atomic():
        deleted, _ = ApplicationCredential.objects.filter(user_id=identity.id, uuid=uuid).delete()
        if not deleted:
            raise NotFound(f"There is no application credential '{uuid}'")
        audit.record(
            identity.credentials(), "application_credential.delete", f"application_credential:{uuid}"
        )


def verified(
    *, secret: str, uuid: str | None = None, name: str | None = None, user: str | None = None
) -> ApplicationCredential | None:
    """Return the credential that *secret* proves, found by *uuid* or by *name* and its *user*.

    *user* is a uuid or an e-mail address. Unknown, wrong and expired ones are all ``None``.
    """
    rows = ApplicationCredential.objects.all()
    if uuid is not None:
        row = rows.filter(uuid=uuid).first()
    elif user is not None and "@" in user:
        row = rows.filter(name=name, user__username=user.lower()).first()
    else:
        row = rows.filter(name=name, user__uuid=user).first()
    known = row.secret_digest if row is not None else crypto.token_digest("")
    matches = crypto.constant_time_equal(known, crypto.token_digest(secret))
    if row is None or not matches or (row.expires is not None and row.expires <= clock.now()):
        return None
    return row
