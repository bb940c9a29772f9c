"""Clients of the clusters' RAPI, one for each cluster and process; a failing cluster is set aside.

Failures come in three kinds. *Refused*: Ganeti looked at the request and declined. *Unavailable*: the
request surely had no effect. *Unknown*: it was sent, and no answer came.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from cyclades.ganeti.rapi import (
    GanetiApiError,
    RapiClient,
    RapiPool,
    RapiRefused,
    RapiUnavailable,
    RapiUnknown,
)
from cyclades.models import Backend
from synnefo import crypto, metrics
from synnefo.errors import ServiceUnavailable

__all__ = [
    "PASSWORD_PURPOSE",
    "GanetiApiError",
    "RapiClient",
    "RapiRefused",
    "RapiUnavailable",
    "RapiUnknown",
    "forget_all",
    "is_set_aside",
    "new_client",
    "rapi_for",
]

log = logging.getLogger(__name__)

PASSWORD_PURPOSE = "backend-password"  # noqa: S105  (a name, not a secret)


@dataclass(frozen=True)
class _Entry:
    """The client of one cluster and the credentials it was made with."""

    key: tuple[str, int, str, str]
    client: RapiClient
    pool: RapiPool


_entries: dict[int, _Entry] = {}
_lock = threading.Lock()


def _entry_of(backend: Backend) -> _Entry:
    key = (backend.clustername, backend.port, backend.username, backend.password_hash)
    with _lock:
        entry = _entries.get(backend.pk)
        if entry is None or entry.key != key:
            # Changed credentials begin with a clean record; calls in progress keep the old client.
            pool = RapiPool(
                settings.RAPI_POOL_SIZE,
                failure_threshold=settings.RAPI_BREAKER_FAILURES,
                cooldown=settings.RAPI_BREAKER_SECONDS,
            )
            client = new_client(
                clustername=backend.clustername,
                port=backend.port,
                username=backend.username,
                password=crypto.decrypt(backend.password_hash, PASSWORD_PURPOSE),
                pool=pool,
            )
            entry = _entries[backend.pk] = _Entry(key, client, pool)
        return entry


def new_client(
    *, clustername: str, port: int, username: str, password: str, pool: RapiPool | None = None
) -> RapiClient:
    """Return a client of its own, for credentials that are not stored yet."""
    return RapiClient(
        clustername,
        port,
        username,
        password,
        ca_file=settings.RAPI_CA_FILE or None,
        verify=settings.RAPI_TLS_VERIFY,
        connect_timeout=float(settings.RAPI_CONNECT_TIMEOUT),
        read_timeout=float(settings.RAPI_READ_TIMEOUT),
        pool=pool,
    )


def is_set_aside(backend: Backend) -> bool:
    """Tell whether *backend* failed so often lately that it has to prove itself before new work."""
    try:
        return _entry_of(backend).pool.is_open
    except crypto.DecryptionError:
        return True


@contextmanager
def rapi_for(backend: Backend) -> Iterator[RapiClient]:
    """Lend the client of *backend* for the duration of a ``with`` block; hold no row lock meanwhile.

    Raises ``ServiceUnavailable`` when the backend is offline, set aside or unreachable, or its password
    can't be read (nothing was done); ``RapiRefused`` and ``RapiUnknown`` as they come.
    """
    if backend.offline:
        raise ServiceUnavailable(f"The backend {backend.clustername} is offline.", retry_after=60)
    try:
        entry = _entry_of(backend)
    except crypto.DecryptionError as error:
        _note(backend, "unavailable", available=False)
        log.error("the password of backend %s, see backend-modify: %s", backend.clustername, error)
        raise ServiceUnavailable(f"The backend {backend.clustername} can't be asked.") from error
    try:
        yield entry.client
    except RapiUnavailable as error:
        _note(backend, "unavailable", available=False)
        log.warning("RAPI of backend %s is unavailable: %s", backend.clustername, error)
        raise ServiceUnavailable(
            f"The backend {backend.clustername} does not answer.", retry_after=20
        ) from error
    except RapiUnknown as error:
        _note(backend, "unknown", available=False)
        log.warning("RAPI of backend %s gave no answer: %s", backend.clustername, error)
        raise
    except GanetiApiError:
        _note(backend, "refused", available=True)
        raise
    else:
        _note(backend, "ok", available=True)


def _note(backend: Backend, outcome: str, *, available: bool) -> None:
    metrics.rapi_requests.labels(backend.clustername, outcome).inc()
    metrics.backend_available.labels(backend.clustername).set(int(available))


def forget_all() -> None:
    """Drop every client; for processes that fork and for tests."""
    with _lock:
        _entries.clear()
