"""Secrets: how they are kept, looked up and compared.

Values at rest are encrypted with AES-GCM under a key derived from a setting and a *purpose*, so that a
value copied from one column can't be decrypted as another. Tokens are found by a keyed digest.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.modes import CFB8
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from django.conf import settings

_PREFIX = "v2:"
_LEGACY_PREFIX = "encrypted:"


class DecryptionError(ValueError):
    """The stored value was not written with the configured key."""


@lru_cache(maxsize=64)
def _key(secret: str, purpose: str) -> bytes:
    return hashlib.blake2b(secret.encode(), key=purpose.encode()[:64], digest_size=32).digest()


def encrypt(text: str, purpose: str) -> str:
    """Return *text* encrypted for *purpose*; an empty string stays empty."""
    if not text:
        return ""
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(_key(settings.SECRET_ENCRYPTION_KEY, purpose)).encrypt(
        nonce, text.encode(), purpose.encode()
    )
    return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(value: str, purpose: str) -> str:
    """Return the clear text of a value made by ``encrypt`` or by the original's scheme.

    Raises ``DecryptionError`` when the key or the purpose is not the one it was written with.
    """
    if not value.startswith(_PREFIX):
        return decrypt_legacy(value)
    try:
        raw = base64.urlsafe_b64decode(value[len(_PREFIX) :])
        opened = AESGCM(_key(settings.SECRET_ENCRYPTION_KEY, purpose)).decrypt(
            raw[:12], raw[12:], purpose.encode()
        )
    except (InvalidTag, ValueError) as error:
        raise DecryptionError(
            "cannot decrypt a stored secret: SECRET_ENCRYPTION_KEY is not the one it was written with"
        ) from error
    return opened.decode()


def decrypt_legacy(value: str) -> str:
    """Read the original's AES-CFB8 form (Ganeti contract 1.2); text without its prefix is returned as is."""
    if not value.startswith(_LEGACY_PREFIX):
        return value
    try:
        iv_text, rest = value[len(_LEGACY_PREFIX) :].split(":", 1)
        salt, cipher_text = rest.split("$", 1)
        key = settings.SECRET_ENCRYPTION_KEY.encode()
        if len(key) not in (16, 24, 32):
            key = key.ljust(32, b"}")
        cipher = Cipher(AES(key), CFB8(base64.b64decode(iv_text)))
        decryptor = cipher.decryptor()
        clear = (decryptor.update(base64.b64decode(cipher_text)) + decryptor.finalize()).decode()
    except ValueError as error:
        raise DecryptionError("cannot decrypt a stored secret written by an earlier release") from error
    if not constant_time_equal(clear[:8], salt):
        raise DecryptionError("cannot decrypt a stored secret: SECRET_ENCRYPTION_KEY has changed")
    return clear[8:]


def token_digest(token: str) -> str:
    """Return the keyed digest (hex, 64 characters) that a token is stored and looked up by."""
    return hmac.digest(settings.SECRET_KEY.encode(), token.encode("utf-8", "surrogatepass"), "sha256").hex()


def new_token(nbytes: int = 32) -> str:
    """Return a URL-safe random token; 32 bytes give 43 characters."""
    return secrets.token_urlsafe(nbytes)


def constant_time_equal(left: str, right: str) -> bool:
    """Compare two secrets without leaking where they differ."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))
