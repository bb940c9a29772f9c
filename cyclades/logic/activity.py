"""What is under way for a user, and what of his changed since a moment (web contract 7)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, Subquery

from cyclades.logic.network_visibility import visible_floating_ips, visible_networks
from cyclades.logic.visibility import visible_servers, visible_volumes
from cyclades.models import IntentState, JobIntent, ServerState, SnapshotJob, Task
from synnefo.credentials import Credentials

_OPEN = (IntentState.PENDING, IntentState.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Running:
    """A server's task, or a copy of a disk that has not ended.

    ``task`` of a copy is ``SNAPSHOT``, or ``SNAPSHOT_OF`` when the disk is on ``server``.
    """

    id: str
    name: str
    task: str
    started: dt.datetime
    percent: int | None = None
    server: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that was written at ``updated``."""

    id: str
    updated: dt.datetime


def running(credentials: Credentials, *, limit: int) -> list[Running]:
    """Return the tasks of the user's own servers and his snapshots in the making; two queries."""
    newest = JobIntent.objects.filter(server=OuterRef("pk"), state__in=_OPEN).order_by("-pk")
    servers = (
        visible_servers(credentials)
        .filter(userid=credentials.user_id, deleted=False)
        .exclude(task="")
        .annotate(started=Subquery(newest.values("created")[:1]))
        .order_by("-updated")
    )
    found = [
        Running(
            f"server-{row.pk}",
            row.name,
            row.task,
            row.started or row.updated,
            row.buildpercentage if row.task == Task.BUILD else None,
        )
        for row in servers[:limit]
    ]
    jobs = SnapshotJob.objects.filter(state__in=_OPEN, volume__userid=credentials.user_id)
    copies = jobs.select_related("volume", "server").order_by("-pk")[:limit]
    return found + [_copy(job) for job in copies]


def _copy(job: SnapshotJob) -> Running:
    name = (job.volume.name if job.volume else "") or f"#{job.volume_id}"
    task, server = ("SNAPSHOT_OF", job.server.name) if job.server else ("SNAPSHOT", "")
    return Running(f"snapshot-{job.snapshot_id}", name, task, job.created, job.progress or None, server)


def changed_servers(credentials: Credentials, *, since: dt.datetime, limit: int) -> list[Changed]:
    """Return the user's servers that changed, destroyed ones too; one query."""
    rows = visible_servers(credentials).filter(updated__gte=since)
    return _listed(rows.order_by("updated").values_list("pk", "updated")[:limit])


def changed_networks(credentials: Credentials, *, since: dt.datetime, limit: int) -> list[Changed]:
    """Return the user's networks that changed, deleted ones too; one query."""
    rows = visible_networks(credentials).filter(updated__gte=since, public=False)
    return _listed(rows.order_by("updated").values_list("pk", "updated")[:limit])


def changed_volumes(credentials: Credentials, *, since: dt.datetime, limit: int) -> list[Changed]:
    """Return the user's volumes that changed, deleted ones too; one query."""
    rows = visible_volumes(credentials).filter(updated__gte=since)
    return _listed(rows.order_by("updated").values_list("pk", "updated")[:limit])


def changed_ips(credentials: Credentials, *, since: dt.datetime, limit: int) -> list[Changed]:
    """Return the user's public addresses that changed, released ones too; one query."""
    rows = visible_floating_ips(credentials).filter(updated__gte=since)
    return _listed(rows.order_by("updated").values_list("pk", "updated")[:limit])


def _listed(rows: Iterable[tuple[int, dt.datetime]]) -> list[Changed]:
    return [Changed(str(pk), updated) for pk, updated in rows]


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """How many servers a user has, and how many of them run."""

    all: int
    running: int


def server_counts(credentials: Credentials) -> ServerCounts:
    """Count the user's own servers; one query."""
    own = visible_servers(credentials).filter(userid=credentials.user_id, deleted=False, helper=False)
    found = own.aggregate(all=Count("pk"), running=Count("pk", filter=Q(operstate=ServerState.STARTED)))
    return ServerCounts(**found)
