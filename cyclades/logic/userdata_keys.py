"""SSH keys by number, as the web interface keeps them (compute contract 12.2)."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from cyclades.logic import keypairs
from cyclades.models import PublicKeyPair
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound, OverLimit, Unprocessable

#: Where errors that belong to no field are told.
WHOLE = "__all__"
_REQUIRED = "This field cannot be blank."
_DUPLICATE = "Public key pair with this User and Name already exists."


class InvalidKey(Unprocessable):
    """A key that can't be stored; ``errors`` tells, by field, why."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("The key is not valid")
        self.errors = errors


def list_keys(credentials: Credentials) -> list[PublicKeyPair]:
    """Return the user's keys by name."""
    return keypairs.list_keypairs(credentials)


def get_key(credentials: Credentials, *, key_id: int) -> PublicKeyPair:
    """Return one of the user's keys; raises ``NotFound``."""
    found = PublicKeyPair.objects.filter(user=credentials.user_id, pk=key_id).first()
    if found is None:
        raise NotFound("Key not found.")
    return found


def create_key(credentials: Credentials, *, name: Any, content: Any) -> PublicKeyPair:
    """Store a public key; raises ``InvalidKey``."""
    with locks.atomic():
        locks.lock_name("keypairs", credentials.user_id)
        name, content = _checked(credentials, name, content, known=None)
        created = PublicKeyPair.objects.create(
            user=credentials.user_id, name=name, content=content, fingerprint=keypairs.fingerprint(content)
        )
        audit.record(credentials, "keypair.create", f"keypair:{created.pk}", name=name)
    return created


def update_key(credentials: Credentials, *, key_id: int, values: dict[str, Any]) -> PublicKeyPair:
    """Change name or content of a key; raises ``NotFound`` or ``InvalidKey``."""
    with locks.atomic():
        locks.lock_name("keypairs", credentials.user_id)
        known = get_key(credentials, key_id=key_id)
        known.name, known.content = _checked(
            credentials, values.get("name", known.name), values.get("content", known.content), known=known
        )
        known.fingerprint = keypairs.fingerprint(known.content)
        known.save()
        audit.record(credentials, "keypair.update", f"keypair:{key_id}", name=known.name)
    return known


def delete_key(credentials: Credentials, *, key_id: int) -> None:
    """Delete a key; raises ``NotFound``."""
    with locks.atomic():
        get_key(credentials, key_id=key_id).delete()
        audit.record(credentials, "keypair.delete", f"keypair:{key_id}")


def generate(credentials: Credentials) -> tuple[str, str]:
    """Return a new private key in PEM and its public half; nothing is stored.

    Raises ``OverLimit`` for a user who could not store it.
    """
    limit = settings.USERDATA_MAX_SSH_KEYS_PER_USER
    if PublicKeyPair.objects.filter(user=credentials.user_id).count() >= limit:
        raise OverLimit(f"You have {limit} SSH keys already, which is the most")
    return keypairs.generate()


def _checked(
    credentials: Credentials, name: Any, content: Any, *, known: PublicKeyPair | None
) -> tuple[str, str]:
    errors: dict[str, list[str]] = {}
    others = PublicKeyPair.objects.filter(user=credentials.user_id)
    if known is not None:
        others = others.exclude(pk=known.pk)
    for field, value, check in (
        ("name", name, keypairs.check_name),
        ("content", content, keypairs.check_public_key),
    ):
        problem = _problem(value, check)
        if problem is not None:
            errors[field] = [problem]
    if isinstance(name, str) and others.filter(name=name[: keypairs.MAX_NAME].replace("\x00", "")).exists():
        errors.setdefault(WHOLE, []).append(_DUPLICATE)
    limit = settings.USERDATA_MAX_SSH_KEYS_PER_USER
    if known is None and others.count() >= limit:
        errors.setdefault(WHOLE, []).append(f"SSH keys limit exceeded: {limit}.")
    if errors:
        raise InvalidKey(errors)
    return name, keypairs.check_public_key(content)


def _problem(value: Any, check: Any) -> str | None:
    if value is None or value == "":
        return _REQUIRED
    if not isinstance(value, str):
        return "This field must be a text."
    try:
        check(value)
    except BadRequest as error:
        return error.message
    return None
