"""Moving a server to another project, with what it costs (compute contract 7.3)."""

from __future__ import annotations

from astakos import public as astakos
from cyclades.logic import flavors, quota
from cyclades.logic.networks import require_sharing_enabled
from cyclades.logic.server_state import require_allowed
from cyclades.logic.servers import lock_server
from cyclades.models import Backend, ProjectBackend, Server, Task, Volume
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Forbidden


@locks.retry_on_deadlock
def reassign(credentials: Credentials, *, server_id: int, project: str, shared_to_project: bool) -> Server:
    """Charge a server and its system disk to *project* from now on, and share or unshare them.

    Other volumes and addresses stay where they are. Raises ``NotFound``, ``Forbidden`` (suspended, sharing
    switched off, backend or flavor not open to the project), ``BadRequest`` (deleted, pending task, owner
    not in the project), ``BuildInProgress`` and ``OverLimit``.
    """
    require_sharing_enabled(shared_to_project)
    with locks.atomic():
        server = lock_server(credentials, server_id=server_id)
        require_allowed(credentials, server, Task.REASSIGN)
        former = server.project
        # Volumes come before holdings in the lock order.
        volumes = locks.lock_rows(Volume.objects.filter(machine=server, deleted=False, index=0))
        if project != former:
            _require_open(server, project)
            if not astakos.is_project_member(server.userid, project):
                raise BadRequest(f"User {server.userid} not in project {project}")
            quota.charge_now(
                server.userid,
                quota.server_deltas(server, Task.REASSIGN, project=project, volumes=volumes),
                name=f"client: api, resource: server {server_id}, action: REASSIGN",
                force=credentials.force_quota,
            )
        server.project, server.shared_to_project, server.action = project, shared_to_project, Task.REASSIGN
        server.save(update_fields=["project", "shared_to_project", "action", "updated"])
        for volume in volumes:
            volume.project, volume.shared_to_project = project, shared_to_project
            volume.save(update_fields=["project", "shared_to_project", "updated"])
        audit.record(
            credentials,
            "server.reassign",
            f"server:{server_id}",
            former=former,
            project=project,
            shared=shared_to_project,
        )
    return server


def _require_open(server: Server, project: str) -> None:
    if server.backend is not None and not _is_backend_open(server.backend, project):
        raise Forbidden(f"Cannot reassign server {server.pk}: its backend is not open to project {project}")
    if not flavors.is_open_to(server.flavor, project):
        raise Forbidden(f"Cannot reassign server {server.pk}: its flavor is not open to project {project}")


def _is_backend_open(backend: Backend, project: str) -> bool:
    return backend.public or ProjectBackend.objects.filter(project=project, backend=backend).exists()
