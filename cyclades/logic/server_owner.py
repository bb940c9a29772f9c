"""Giving a server to another user (administrator's contract 4.4)."""

from __future__ import annotations

from cyclades.logic import addresses, owners
from cyclades.logic.servers import lock_server
from cyclades.models import IPAddress, Port, Server, Volume
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden


@locks.retry_on_deadlock
def change_owner(credentials: Credentials, *, server_id: int, user_id: str) -> Server:
    """Give a server with its volumes, ports and addresses to *user_id* and that user's own project.

    Volumes and addresses of others stay theirs. Quota is not moved: what exists is counted again by
    reconciliation. Raises ``BadRequest`` for a deleted server, the same owner or an unknown one.
    """
    if not credentials.is_admin:
        raise Forbidden("Only administrators may change the owner of a server")
    owners.require_user(user_id)
    now = clock.now()
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        if server.deleted:
            raise BadRequest("Server has been deleted.")
        if server.userid == user_id:
            raise BadRequest(f"Server {server_id} belongs to {user_id} already")
        former = server.userid
        owned = {"userid": user_id, "project": user_id, "shared_to_project": False, "updated": now}
        locks.lock_rows(Port.objects.filter(machine=server))
        reason = f"[OWNER CHANGE vm: {server_id}, from: {former}, to: {user_id}]"
        _record(server, addresses.DISASSOCIATE, reason)
        Server.objects.filter(pk=server.pk).update(**owned)
        Volume.objects.filter(machine=server, deleted=False, userid=former).update(**owned)
        IPAddress.objects.filter(nic__machine=server, deleted=False, userid=former).update(**owned)
        Port.objects.filter(machine=server).update(userid=user_id, updated=now)
        _record(server, addresses.ASSOCIATE, reason)
        audit.record(credentials, "server.change_owner", f"server:{server_id}", former=former, owner=user_id)
    server.refresh_from_db()
    return server


def _record(server: Server, action: str, reason: str) -> None:
    ports = Port.objects.filter(machine=server).select_related("machine", "network").prefetch_related("ips")
    addresses.record_history(
        (port, ip.address, action, reason) for port in ports for ip in port.ips.all() if not ip.deleted
    )
