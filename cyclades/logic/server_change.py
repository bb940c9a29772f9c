"""The frame of every change that ends with a Ganeti job (compute contract 15.3 and 16).

The commission locks the owner's quota holdings, and holdings are locked before servers. So the change is
decided on an unlocked row and holds only if the row is still the same once it is locked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cyclades.ganeti import jobs
from cyclades.logic import quota
from cyclades.logic.server_state import require_allowed
from cyclades.logic.servers import lock_server
from cyclades.logic.visibility import visible_servers
from cyclades.models import JobIntent, Server, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import NotFound, ServiceUnavailable

_ATTEMPTS = 5

#: What a decision about a server depends on.
_DECISIVE = (
    "userid",
    "project",
    "deleted",
    "suspended",
    "operstate",
    "task",
    "serial",
    "flavor_id",
    "backend_id",
)


class _ChangedMeanwhile(Exception):
    """Another request or event won; the change must be decided again."""


@dataclass(frozen=True)
class JobChange:
    """A change by a job: its task, what it costs and what is asked of Ganeti.

    ``payload`` is called with the locked server.
    """

    task: Task
    payload: Callable[[Server], dict[str, Any]]
    deltas: Callable[[Server], quota.Deltas]
    force_quota: bool = False


def seen_server(credentials: Credentials, server_id: int) -> Server:
    """Return a visible server without a lock, with its flavor and backend; raises ``NotFound``."""
    found = (
        visible_servers(credentials)
        .select_related("flavor__volume_type", "backend")
        .filter(pk=server_id)
        .first()
    )
    if found is None:
        raise NotFound("Server not found.")
    return found


@locks.retry_on_deadlock
def run(credentials: Credentials, *, server_id: int, change: JobChange) -> JobIntent:
    """Record *change* with its commission and the intent of its job, in one transaction.

    The job is submitted after the commit. Raises ``NotFound``, ``BadRequest``, ``Forbidden`` and
    ``BuildInProgress`` by the permission matrix, ``OverLimit``, and ``ServiceUnavailable`` for a backend
    that is offline.
    """
    for _ in range(_ATTEMPTS):
        try:
            with locks.atomic():
                return _run_once(credentials, server_id, change)
        except _ChangedMeanwhile:
            continue
    raise ServiceUnavailable("The server is busy with other changes. Try again.")


def _run_once(credentials: Credentials, server_id: int, change: JobChange) -> JobIntent:
    seen = seen_server(credentials, server_id)
    require_allowed(credentials, seen, change.task)
    if seen.backend is None or seen.backend.offline:
        raise ServiceUnavailable("The backend of this server is offline", retry_after=60)
    decisive = fingerprint(seen)
    name = f"client: api, resource: server {server_id}, action: {change.task}"
    force = change.force_quota or credentials.force_quota
    serial = quota.issue(seen, change.deltas(seen), name=name, force=force)
    server = lock_unchanged(credentials, seen, decisive)
    server.serial = serial
    server.save(update_fields=["serial", "updated"])
    intent = jobs.intend(server=server, operation=change.task, payload=change.payload(server))
    audit.record(credentials, f"server.{change.task.lower()}", f"server:{server_id}")
    return intent


def fingerprint(server: Server) -> tuple[Any, ...]:
    """Return the values that a decision about *server* was made on."""
    return tuple(getattr(server, name) for name in _DECISIVE)


def lock_unchanged(credentials: Credentials, seen: Server, decisive: tuple[Any, ...]) -> Server:
    """Lock the server that was *seen* with *decisive* values, its loaded flavor and backend attached."""
    server = lock_server(credentials, server_id=seen.pk)
    # The commission of an earlier job was rejected above, on this very row.
    expected = tuple(seen.serial if n == "serial" else v for n, v in zip(_DECISIVE, decisive, strict=True))
    if fingerprint(server) != expected:
        raise _ChangedMeanwhile
    server.flavor, server.backend = seen.flavor, seen.backend
    return server
