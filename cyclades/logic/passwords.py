"""Passwords of new servers: made or checked, then readable once from the cache (compute contract 6.2)."""

from __future__ import annotations

import secrets
import string

from django.conf import settings
from django.core.cache import cache

from cyclades.logic.visibility import visible_servers
from synnefo import crypto
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound

LENGTH = 10
MAX_LENGTH = 255
_ALPHABET = string.ascii_letters + string.digits
_PURPOSE = "server-password"


def generate() -> str:
    """Return a random password of ten letters and digits with at least one of each class."""
    while True:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
        if _is_strong(password):
            return password


def check(password: str) -> str:
    """Return *password* if it has ten characters, upper and lower case and a digit; else ``BadRequest``."""
    if not _is_strong(password) or len(password) > MAX_LENGTH:
        raise BadRequest(
            f"'adminPass' must have {LENGTH} to {MAX_LENGTH} characters with upper-case and lower-case "
            "letters and digits"
        )
    return password


def _is_strong(password: str) -> bool:
    classes = (str.isupper, str.islower, str.isdigit)
    return len(password) >= LENGTH and all(any(map(kind, password)) for kind in classes)


def remember(server_id: int, password: str) -> None:
    """Keep the password of a new server for ``VM_PASSWORD_TIMEOUT`` seconds."""
    cache.set(_entry(server_id), crypto.encrypt(password, _PURPOSE), timeout=settings.VM_PASSWORD_TIMEOUT)


def read(credentials: Credentials, *, server_id: int) -> str:
    """Return the remembered password; raises ``NotFound``. Only the owner may read it."""
    _own_server(credentials, server_id)
    sealed = cache.get(_entry(server_id))
    if not sealed:
        raise NotFound("The password of this server is not available any more")
    return crypto.decrypt(sealed, _PURPOSE)


def forget(credentials: Credentials, *, server_id: int) -> None:
    """Drop the remembered password, if there is one."""
    _own_server(credentials, server_id)
    cache.delete(_entry(server_id))


def _own_server(credentials: Credentials, server_id: int) -> None:
    servers = visible_servers(credentials)
    if not credentials.is_admin:
        servers = servers.filter(userid=credentials.user_id)
    if not servers.filter(pk=server_id).exists():
        raise NotFound("Server not found.")


def _entry(server_id: int) -> str:
    return f"vmpassword_{server_id}"
