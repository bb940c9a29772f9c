"""Long jobs of which only one may run at a time, on all hosts together."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from synnefo.errors import Conflict


@contextmanager
def single_run(name: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Hold the job's lock; raise Conflict if another process runs it.

    On PostgreSQL it is an advisory lock of a connection of its own, so it ends with the process, however that
    ends. With SQLite there is one host only, and a locked file does the same.
    """
    if connections[using].vendor == "postgresql":
        with _advisory(name, using):
            yield
    else:
        with _file(name, str(connections[using].settings_dict["NAME"])):
            yield


@contextmanager
def _advisory(name: str, using: str) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(f"single run\0{name}".encode()).digest()[:8], signed=True)
    connection = connections[using].copy()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
            if not cursor.fetchone()[0]:
                raise _running(name)
        try:
            yield
        finally:
            # Closing gives it back as well, but only when the server has noticed: too late for the next run.
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
    finally:
        connection.close()


@contextmanager
def _file(name: str, database: str) -> Iterator[None]:
    digest = hashlib.sha256(f"{name}\0{database}".encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"synnefo-{name}-{digest}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _running(name) from None
        yield


def _running(name: str) -> Conflict:
    return Conflict(f"Another {name} is running.")
