"""Reading, naming and locking servers (compute contract 6)."""

from __future__ import annotations

from cyclades.logic import news
from cyclades.logic.server_state import Access, require_allowed
from cyclades.logic.visibility import visible_servers
from cyclades.models import Server, Task
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden, NotFound

MAX_NAME = 255


def get_server(credentials: Credentials, *, server_id: int) -> Server:
    """Return a visible server, deleted or not; raises ``NotFound``."""
    server = visible_servers(credentials).filter(pk=server_id).first()
    if server is None:
        raise NotFound("Server not found.")
    return server


def lock_server(credentials: Credentials, *, server_id: int) -> Server:
    """Lock and return a visible server with its flavor and backend; raises ``NotFound``."""
    servers = visible_servers(credentials).select_related("flavor__volume_type", "backend")
    try:
        return locks.lock_one(servers.filter(pk=server_id))
    except Server.DoesNotExist as error:
        raise NotFound("Server not found.") from error


def touch(server: Server) -> None:
    """Move ``updated``, by which clients poll, after a change of something that belongs to *server*."""
    server.updated = clock.now()
    server.save(update_fields=["updated"])


def check_name(name: str) -> str:
    """Return *name* if it has 1 to 255 characters; else ``BadRequest``."""
    if not 1 <= len(name) <= MAX_NAME:
        raise BadRequest(f"'name' must have 1 to {MAX_NAME} characters, not {len(name)}")
    return name


@locks.retry_on_deadlock
def rename(credentials: Credentials, *, server_id: int, name: str) -> Server:
    """Give a server another name, in whatever state it is.

    Raises ``NotFound``, ``BadRequest`` (deleted, length) or ``Forbidden`` (suspended).
    """
    check_name(name)
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, Access.RENAME)
        server.name = name
        server.save(update_fields=["name", "updated"])
        audit.record(credentials, "server.rename", f"server:{server_id}", name=name)
    return server


@locks.retry_on_deadlock
def set_suspended(credentials: Credentials, *, server_id: int, suspended: bool) -> Server:
    """Suspend a server or release it; for administrators only.

    Raises ``Forbidden`` for users, ``BadRequest`` when it is deleted or already so.
    """
    if not credentials.is_admin:
        raise Forbidden("User is not allowed to suspend his server")
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, Task.SUSPEND if suspended else Task.UNSUSPEND)
        if server.suspended == suspended:
            raise BadRequest(f"Server {server_id} is {'already' if suspended else 'not'} suspended")
        server.suspended = suspended
        server.save(update_fields=["suspended", "updated"])
        audit.record(credentials, "server.suspend", f"server:{server_id}", suspended=suspended)
        news.server_suspended(server)
    return server
