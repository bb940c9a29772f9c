"""How much disk a user may use, as OpenStack clients ask (volume contract 15)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from astakos import public as astakos
from cyclades.logic import snapshots
from cyclades.logic.quota import DISK
from cyclades.logic.visibility import visible_volumes
from synnefo.credentials import Credentials
from synnefo.errors import NotFound


@dataclass(frozen=True)
class DiskUsage:
    """Sizes in GiB, rounded down for limits and up for use; ``largest`` is what one volume may have.

    ``snapshots`` are all of the user's, since they belong to no project.
    """

    limit: int
    used: int
    volumes: int
    largest: int
    snapshots: int


def disk_usage(credentials: Credentials, *, project: str | None) -> DiskUsage:
    """Return what the user has and uses in *project*, by default their own.

    Raises ``NotFound`` for a project the user is not in.
    """
    wanted = _uuid(project) if project else credentials.default_project
    holdings = astakos.service_quotas(resources=[DISK], users=[credentials.user_id], projects=[wanted])
    if not holdings:
        raise NotFound(f"Project {wanted[:64]} not found")
    holding = holdings[0]
    limit = min(holding.limit, holding.project_limit)
    volumes = visible_volumes(credentials).filter(userid=credentials.user_id, project=wanted, deleted=False)
    return DiskUsage(
        limit=limit >> 30,
        used=-(-(holding.usage + max(0, holding.pending)) // (1 << 30)),
        volumes=volumes.count(),
        largest=settings.CYCLADES_VOLUME_MAX_SIZE,
        snapshots=snapshots.count_own(credentials),
    )


def _uuid(text: str) -> str:
    """Return a project's id with its dashes, which some clients leave out."""
    if len(text) == 32 and text.isalnum():
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return text
