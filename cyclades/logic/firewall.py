"""Which packets reach a server's NIC (compute contract 7.2)."""

from __future__ import annotations

from cyclades.ganeti import firewall, jobs
from cyclades.logic.server_change import require_backend
from cyclades.logic.server_state import Access, require_allowed
from cyclades.logic.servers import lock_server
from cyclades.models import IntentState, JobIntent, Port, Server
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound


@locks.retry_on_deadlock
def set_profile(credentials: Credentials, *, server_id: int, port_id: int, profile: str) -> JobIntent:
    """Promise the jobs that give a NIC another profile; the port shows it when Ganeti reports it.

    Raises ``NotFound`` (server, or a port that is not one of its NICs), ``BadRequest``, ``Forbidden`` and
    ``BuildInProgress`` by the permission matrix, ``ServiceUnavailable``.
    """
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        if not Port.objects.filter(pk=port_id, machine=server).exists():
            raise NotFound(f"Server {server_id} has no NIC with id {port_id}.")
        if profile not in firewall.PROFILES:
            raise BadRequest(f"'profile' must be one of {', '.join(firewall.PROFILES)}")
        require_allowed(credentials, server, Access.FIREWALL)
        require_backend(server)
        payload = firewall.profile_payload(port_id, profile, expected=_expected(server))
        intent = jobs.intend(server=server, operation=jobs.FIREWALL, payload=payload)
        audit.record(credentials, "server.firewall", f"server:{server_id}", port=port_id, profile=profile)
    return intent


def _expected(server: Server) -> list[str]:
    """Return the tags that earlier changes, not ended yet, are about to set."""
    under_way = JobIntent.objects.filter(
        server=server, operation=jobs.FIREWALL, state__in=(IntentState.PENDING, IntentState.SUBMITTED)
    )
    tags = [payload["body"].get("wanted") for payload in under_way.values_list("payload", flat=True)]
    return [tag for tag in tags if tag is not None]
