"""Tokens that name an instance to the statistics service without naming it to others (compute contract 9.5).

Imports no Django: the service that draws graphs runs on a host of its own. A token is authenticated and
expires; the form of older releases (AES-256-ECB of the name) is there for sites that still need it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

_PREFIX = "v2."
_PURPOSE = b"synnefo stats token"
_NONCE_BYTES = 12
_BLOCK_BYTES = 16
#: Names become parts of file names.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_MAX_TOKEN = 2048


class StatsTokenError(ValueError):
    """The token was not made with this secret, has expired, or names nothing."""


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def seal(instance: str, *, secret: str, expires: int) -> str:
    """Return a token for *instance* that is valid until *expires*, in seconds of Unix time."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_key(secret)).encrypt(nonce, f"{expires}:{instance}".encode(), _PURPOSE)
    return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def seal_legacy(instance: str, *, secret: str) -> str:
    """Return the token that older statistics services read; it is the same for ever."""
    name = instance.encode()
    padded = name + b"\0" * (_BLOCK_BYTES - len(name) % _BLOCK_BYTES)
    # ECB is what the other side reads; the setting that leads here says what it costs.
    encryptor = Cipher(AES(_key(secret)), ECB()).encryptor()  # noqa: S305
    sealed = encryptor.update(padded) + encryptor.finalize()
    return quote(base64.urlsafe_b64encode(sealed).decode(), safe="")


def open_token(token: str, *, secret: str, now: int, accept_legacy: bool = False) -> str:
    """Return the instance that *token* names; *now* in seconds of Unix time.

    Raises ``StatsTokenError`` for a forged, expired or malformed token, and for the old form unless
    *accept_legacy*.
    """
    if len(token) > _MAX_TOKEN:
        raise StatsTokenError("the token is too long")
    if token.startswith(_PREFIX):
        name = _open(token, secret, now)
    elif accept_legacy:
        name = _open_legacy(token, secret)
    else:
        raise StatsTokenError("the token has a form that is not accepted")
    if not _NAME.fullmatch(name):
        raise StatsTokenError("the token names no instance")
    return name


def _open(token: str, secret: str, now: int) -> str:
    text = token.removeprefix(_PREFIX)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        clear = AESGCM(_key(secret)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _PURPOSE).decode()
        expires, _, name = clear.partition(":")
        if now > int(expires):
            raise StatsTokenError("the token has expired")
    except (InvalidTag, ValueError, binascii.Error) as error:
        if isinstance(error, StatsTokenError):
            raise
        raise StatsTokenError("the token is not valid") from error
    return name


def _open_legacy(token: str, secret: str) -> str:
    try:
        raw = base64.b64decode(unquote(token), altchars=b"-_", validate=True)
        decryptor = Cipher(AES(_key(secret)), ECB()).decryptor()  # noqa: S305  (see ``seal_legacy``)
        return (decryptor.update(raw) + decryptor.finalize()).rstrip(b"\0").decode()
    except (ValueError, binascii.Error) as error:
        raise StatsTokenError("the token is not valid") from error
