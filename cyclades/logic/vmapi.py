"""One-time parameters of a new server: the only way its secrets reach the node (compute contract 17).

They live encrypted in the shared cache, never in the database or in Ganeti's configuration. Whoever
reads an entry first uses it up.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache

from synnefo import crypto
from synnefo.errors import NotFound, ServiceUnavailable, SynnefoError

PURPOSE = "vmapi-params"
KEY_PURPOSE = "vmapi-key"


def new_key() -> str:
    """Return a fresh, unguessable key."""
    return str(uuid.uuid4())


def publish(params: Mapping[str, str], *, key: str | None = None) -> str:
    """Store *params* for ``VMAPI_TIMEOUT`` seconds and return the URL that gives them out once.

    To be called before the commit of the server, so that they are there whenever its job is. Raises
    ``ServiceUnavailable`` when the cache keeps nothing: a job without its parameters would fail.
    """
    key = key or new_key()
    sealed = crypto.encrypt(json.dumps(dict(params), ensure_ascii=False), PURPOSE)
    if not cache.add(_entry(key), sealed, timeout=settings.VMAPI_TIMEOUT):
        raise ServiceUnavailable("New servers can't be given their configuration at the moment. Try again.")
    return url_for(key)


def url_for(key: str) -> str:
    """Return the address a node fetches the parameters of *key* from."""
    base = urlsplit(settings.CYCLADES_BASE_URL)
    host = settings.VMAPI_BASE_HOST.rstrip("/") or f"{base.scheme}://{base.netloc}"
    return f"{host}{base.path.rstrip('/')}/vmapi/v1.0/server-params/{key}"


def take(key: str) -> str:
    """Return the JSON text of *key* and use it up; raises ``NotFound`` when missing, expired or used.

    Of several readers at the same time one wins: the claim is the cache's atomic ``add``. Raises
    ``ServiceUnavailable``, upon which a node asks again, when the cache does not work.
    """
    entry = _entry(key)
    sealed = cache.get(entry)
    if not sealed:
        raise _missing()
    if settings.VMAPI_RESET_PARAMS:
        if not cache.add(f"{entry}.used", "1", timeout=settings.VMAPI_TIMEOUT):
            raise _missing()
        cache.delete(entry)
    return crypto.decrypt(sealed, PURPOSE)


def _missing() -> SynnefoError:
    """Return what to raise for an entry that was not found: a cache that is down finds nothing either."""
    if cache.add(f"{_entry(new_key())}.probe", "1", timeout=1):
        return NotFound("No such server parameters")
    return ServiceUnavailable("Server parameters can't be read at the moment. Try again.")


def _entry(key: str) -> str:
    return f"vmapi_{key}"
