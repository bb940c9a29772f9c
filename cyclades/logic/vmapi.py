"""One-time parameters of a new server: the only way its secrets reach the node (compute contract 17).

They live encrypted in the shared cache, never in the database or in Ganeti's configuration. Whoever
reads an entry first uses it up, unless the answer broke off.
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
#: Seconds that parameters wait for the submission of their job: a cluster may be away for long.
_WAITING = 7 * 86_400
#: Seconds after which a reader that neither got all nor told that it broke off is taken for dead.
_READING = 120


def new_key() -> str:
    """Return a fresh, unguessable key."""
    return str(uuid.uuid4())


def publish(params: Mapping[str, str], *, key: str | None = None) -> str:
    """Store *params* and return the URL that gives them out once; they wait for ``renew``, a week at most.

    To be called before the commit of the server, so that they are there whenever its job is. Raises
    ``ServiceUnavailable`` when the cache keeps nothing: a job without its parameters would fail.
    """
    key = key or new_key()
    sealed = crypto.encrypt(json.dumps(dict(params), ensure_ascii=False), PURPOSE)
    if not cache.add(_entry(key), sealed, timeout=max(_WAITING, int(settings.VMAPI_TIMEOUT))):
        raise ServiceUnavailable("New servers can't be given their configuration at the moment. Try again.")
    return url_for(key)


def renew(key: str) -> None:
    """Give a node ``VMAPI_TIMEOUT`` seconds from now to fetch the parameters of *key*.

    To be called before each attempt to submit their job. Nothing happens to those that were used.
    """
    cache.touch(_entry(key), timeout=settings.VMAPI_TIMEOUT)


def url_for(key: str) -> str:
    """Return the address a node fetches the parameters of *key* from."""
    base = urlsplit(settings.CYCLADES_BASE_URL)
    host = settings.VMAPI_BASE_HOST.rstrip("/") or f"{base.scheme}://{base.netloc}"
    return f"{host}{base.path.rstrip('/')}/vmapi/v1.0/server-params/{key}"


def take(key: str) -> str:
    """Return the JSON text of *key* for one reader; raises ``NotFound`` when missing, expired or used.

    Of several readers at the same time one wins: the claim is the cache's atomic ``add``. The caller tells
    with ``finish`` or ``give_back`` what became of the answer. Raises ``ServiceUnavailable``, upon which a
    node asks again, when the cache does not work.
    """
    entry = _entry(key)
    sealed = cache.get(entry)
    if not sealed:
        raise _missing()
    if settings.VMAPI_RESET_PARAMS and not cache.add(_claim(key), "1", timeout=_READING):
        raise _missing()
    return crypto.decrypt(sealed, PURPOSE)


def finish(key: str) -> None:
    """Forget the parameters of *key*, which a reader has got as a whole."""
    if settings.VMAPI_RESET_PARAMS:
        cache.delete(_entry(key))


def give_back(key: str) -> None:
    """Let the parameters of *key* be read again: the answer to the one who took them broke off."""
    cache.delete(_claim(key))


def _missing() -> SynnefoError:
    """Return what to raise for an entry that was not found: a cache that is down finds nothing either."""
    if cache.add(f"{_entry(new_key())}.probe", "1", timeout=1):
        return NotFound("No such server parameters")
    return ServiceUnavailable("Server parameters can't be read at the moment. Try again.")


def _claim(key: str) -> str:
    return f"{_entry(key)}.used"


def _entry(key: str) -> str:
    return f"vmapi_{key}"
