"""The frame of every change that ends with a Ganeti job (compute contract 15.3 and 16).

Locks go server, then the owner's quota holdings, then networks and pools: what a change costs depends on
the locked server, for requests as for the dispatcher's events.
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
from cyclades.models import Backend, JobIntent, Server, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import NotFound, ServiceUnavailable


@dataclass(frozen=True)
class JobChange:
    """A change by a job: its task, what it costs and what is asked of Ganeti.

    ``check`` may refuse the locked server by raising; ``deltas`` and ``payload`` are called with it.
    """

    task: Task
    payload: Callable[[Server], dict[str, Any]]
    deltas: Callable[[Server], quota.Deltas]
    check: Callable[[Server], None] | None = None
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
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, change.task)
        if change.check is not None:
            change.check(server)
        intent = promise(server, change, force=change.force_quota or credentials.force_quota)
        audit.record(credentials, f"server.{change.task.lower()}", f"server:{server_id}")
    return intent


def promise(server: Server, change: JobChange, *, force: bool = False) -> JobIntent:
    """Record *change* of the locked *server* in the caller's transaction, whatever the server's state is.

    Raises ``OverLimit`` unless *force*, and ``ServiceUnavailable`` for a backend that is offline.
    """
    require_backend(server)
    server.serial = quota.issue(
        server,
        change.deltas(server),
        name=f"client: api, resource: server {server.pk}, action: {change.task}",
        force=force,
    )
    server.save(update_fields=["serial", "updated"])
    return jobs.intend(server=server, operation=change.task, payload=change.payload(server))


def require_backend(server: Server) -> Backend:
    """Return the cluster of *server*; raises ``ServiceUnavailable`` when it must not be talked to."""
    if server.backend is None or server.backend.offline:
        raise ServiceUnavailable("The backend of this server is offline", retry_after=60)
    return server.backend
