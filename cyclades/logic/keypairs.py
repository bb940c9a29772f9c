"""SSH public keys of users (compute contract 12.1)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from django.conf import settings
from django.db import IntegrityError, transaction

from cyclades.models import PublicKeyPair
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Conflict, NotFound, OverLimit

MAX_NAME = 255
_PUBLIC_EXPONENT = 65537


@dataclass(frozen=True)
class NewKeyPair:
    """A stored key and, if the service made it, its private half in PEM, which is shown once."""

    keypair: PublicKeyPair
    private_key: str | None = None


def list_keypairs(credentials: Credentials) -> list[PublicKeyPair]:
    """Return the user's keys by name."""
    return list(PublicKeyPair.objects.filter(user=credentials.user_id).order_by("name"))


def get_keypair(credentials: Credentials, *, name: str) -> PublicKeyPair:
    """Return the user's key *name*; raises ``NotFound``."""
    check_name(name)
    keypair = PublicKeyPair.objects.filter(user=credentials.user_id, name=name).first()
    if keypair is None:
        raise NotFound(f"Keypair {name} not found.")
    return keypair


def keypairs_by_name(credentials: Credentials, *, names: list[str]) -> list[PublicKeyPair]:
    """Return the user's keys *names* in that order, without repetitions; raises ``NotFound``."""
    wanted = list(dict.fromkeys(names))
    found = {k.name: k for k in PublicKeyPair.objects.filter(user=credentials.user_id, name__in=wanted)}
    for name in wanted:
        if name not in found:
            raise NotFound(f"Keypair {name} not found.")
    return [found[name] for name in wanted]


def create_keypair(credentials: Credentials, *, name: str, public_key: str | None = None) -> NewKeyPair:
    """Store *public_key* under *name*, or make a new RSA pair.

    Raises ``BadRequest`` for a bad name or key, ``Conflict`` for a name in use, ``OverLimit`` beyond
    ``USERDATA_MAX_SSH_KEYS_PER_USER`` keys.
    """
    check_name(name)
    private_key = None
    if public_key is None:
        private_key, public_key = generate()
    content = check_public_key(public_key)
    try:
        with locks.atomic():
            _check_limit(credentials)
            with transaction.atomic():
                keypair = PublicKeyPair.objects.create(
                    user=credentials.user_id, name=name, content=content, fingerprint=fingerprint(content)
                )
            audit.record(credentials, "keypair.create", f"keypair:{keypair.pk}", name=name)
    except IntegrityError as error:
        raise Conflict(f"A keypair with name '{name}' already exists.") from error
    return NewKeyPair(keypair, private_key)


def delete_keypair(credentials: Credentials, *, name: str) -> None:
    """Delete the user's key *name*; raises ``NotFound``. Servers that were given it keep it."""
    check_name(name)
    with locks.atomic():
        deleted, _ = PublicKeyPair.objects.filter(user=credentials.user_id, name=name).delete()
        if not deleted:
            raise NotFound(f"Keypair {name} not found.")
        audit.record(credentials, "keypair.delete", f"keypair:{name}")


def check_name(name: str) -> None:
    """Raise ``BadRequest`` unless *name* is printable, of the basic plane, and not only spaces."""
    printable = all((c.isprintable() or c == " ") and c <= "\uffff" for c in name)
    if not 1 <= len(name) <= MAX_NAME or not name.strip() or not printable:
        raise BadRequest(f"'name' must have 1 to {MAX_NAME} printable characters")


def check_public_key(text: str) -> str:
    """Return *text* as one line of OpenSSH public key; raises ``BadRequest`` for anything else."""
    limit = settings.USERDATA_SSH_KEY_MAX_CONTENT_LENGTH
    if len(text) > limit:
        raise BadRequest(f"'public_key' is longer than {limit} characters")
    line = text.strip()
    if not line.isprintable():
        raise BadRequest("'public_key' must be a single line")
    try:
        key = serialization.load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRequest("'public_key' is not an OpenSSH public key") from error
    if isinstance(key, dsa.DSAPublicKey):
        raise BadRequest("'public_key' is a DSA key, which servers no longer accept")
    return line


def fingerprint(content: str) -> str:
    """Return the MD5 of the key as clients show it."""
    digest = hashlib.md5(_blob(content), usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def fingerprint_sha256(content: str) -> str:
    """Return the SHA-256 of the key in OpenSSH's notation."""
    digest = hashlib.sha256(_blob(content)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _blob(content: str) -> bytes:
    return base64.b64decode(content.split()[1])


def _check_limit(credentials: Credentials) -> None:
    limit = settings.USERDATA_MAX_SSH_KEYS_PER_USER
    # A user without keys has no row that could be locked.
    locks.lock_name("keypairs", credentials.user_id)
    held = PublicKeyPair.objects.filter(user=credentials.user_id).count()
    if held >= limit:
        raise OverLimit(f"You have {held} SSH keys of at most {limit}; delete one first")


def generate() -> tuple[str, str]:
    """Return a new RSA private key in PEM and its public half in one line."""
    key = rsa.generate_private_key(_PUBLIC_EXPONENT, settings.USERDATA_SSH_KEY_LENGTH)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()
