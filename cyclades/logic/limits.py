"""What a user may still make in a project, as quota has it (compute contract 22.4).

Counts are numbers, memory is MiB, disk is GiB; an unlimited quantity is -1, as Nova writes it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Q

from astakos import public as astakos
from cyclades.models import Flavor, PublicKeyPair, Server
from synnefo import clock
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound
from synnefo.units import INF

UNLIMITED = -1
_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limit:
    """How much there may be of something, how much is in use, and what is reserved for pending jobs."""

    maximum: int
    used: int
    pending: int = 0


#: What quota counts: name here, resource, size of one unit.
_COUNTED = {
    "instances": ("cyclades.vm", 1),
    "cores": ("cyclades.total_cpu", 1),
    "ram": ("cyclades.total_ram", _MIB),
    "running_cores": ("cyclades.cpu", 1),
    "running_ram": ("cyclades.ram", _MIB),
    "gigabytes": ("cyclades.disk", _GIB),
    "networks": ("cyclades.network.private", 1),
    "floating_ips": ("cyclades.floating_ip", 1),
}


def project_limits(credentials: Credentials, *, project: str | None = None) -> dict[str, Limit]:
    """Return the caller's limits in *project*, by default the default project, by name.

    What a user may have is what is left of both the user's and the project's own limit. Raises
    ``NotFound`` for a project that the caller is not a member of.
    """
    wanted = project or credentials.default_project
    if wanted not in (*credentials.projects, credentials.default_project, credentials.user_id):
        raise NotFound(f"Project {wanted[:64]} not found.")
    rows = astakos.service_quotas(
        resources=[resource for resource, _ in _COUNTED.values()],
        users=[credentials.user_id],
        projects=[wanted],
    )
    holdings = {row.resource: row for row in rows}
    limits = {}
    for name, (resource, unit) in _COUNTED.items():
        row = holdings.get(resource)
        if row is None:
            limits[name] = Limit(0, 0)
            continue
        left = min(row.limit - row.usage, row.project_limit - row.project_usage)
        unlimited = row.limit >= INF and row.project_limit >= INF
        maximum = UNLIMITED if unlimited else max(row.usage + left, 0) // unit
        settled = row.usage - row.pending
        limits[name] = Limit(maximum, settled // unit, row.pending // unit)
    return limits


def keypairs_used(credentials: Credentials) -> int:
    """Return how many SSH keys the caller keeps."""
    return PublicKeyPair.objects.filter(user=credentials.user_id).count()


@dataclass(frozen=True)
class ServerUsage:
    """How long a server existed within a period, and what it has."""

    server: Server
    flavor: Flavor
    hours: float
    ended_at: dt.datetime | None


def server_usage(
    credentials: Credentials, *, start: dt.datetime, end: dt.datetime, project: str | None = None
) -> dict[str, list[ServerUsage]]:
    """Return by project, by default all of the caller's, the servers that existed between two moments.

    Projects without any are left out. Raises ``NotFound`` for a project the caller is not in and
    ``BadRequest`` for an empty period. A deleted server's row last changed when it ended.
    """
    projects = {*credentials.projects, credentials.default_project, credentials.user_id}
    if project is not None and project not in projects:
        raise NotFound(f"Project {project[:64]} not found.")
    if start > end:
        raise BadRequest("'start' must not be after 'end'")
    servers = (
        Server.objects.filter(userid=credentials.user_id, created__lte=end)
        .filter(project__in=sorted(projects if project is None else {project}))
        .filter(Q(deleted=False) | Q(updated__gte=start))
        .select_related("flavor__volume_type")
        .order_by("pk")
    )
    now = clock.now()
    used: dict[str, list[ServerUsage]] = defaultdict(list)
    for server in servers:
        used[server.project].append(_usage(server, start, min(end, now)))
    return used


def _usage(server: Server, start: dt.datetime, end: dt.datetime) -> ServerUsage:
    ended_at = server.updated if server.deleted else None
    seconds = (min(end, ended_at or end) - max(start, server.created)).total_seconds()
    return ServerUsage(server, server.flavor, max(seconds, 0.0) / 3600, ended_at)
