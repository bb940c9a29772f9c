"""Setting the limits of system projects, one user's or everybody's (administrator's contract 2.2)."""

from __future__ import annotations

from collections.abc import Collection

from astakos.logic import quota_policy
from astakos.logic.limits import BATCH, sync_holdings
from astakos.models import Project, ProjectResourceQuota, Resource
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_rows
from synnefo.errors import BadRequest, NotFound
from synnefo.units import INF


def set_base_quota(
    credentials: Credentials,
    *,
    resource: str,
    capacity: int | None,
    users: Collection[str] | None,
    exclude: Collection[str] = (),
) -> int:
    """Give the system projects of *users* (uuids; ``None``: all) this capacity and return how many changed.

    ``capacity=None`` means the resource's default. Raises ``NotFound`` for an unknown resource or a user
    without a system project, ``BadRequest`` for a capacity out of range.
    """
    if capacity is not None and not 0 <= capacity <= INF:
        raise BadRequest(f"A capacity is between 0 and {INF}, not {capacity}")
    row = Resource.objects.filter(name=resource).first()
    if row is None:
        raise NotFound(
            f"Resource {resource} does not exist. Use resource-list to find out available resources."
        )
    value = row.uplimit if capacity is None else capacity
    found = Project.objects.filter(is_base=True).exclude(uuid__in=exclude)
    if users is not None:
        found = found.filter(uuid__in=users)
    with atomic():
        projects = lock_rows(found.only("id", "uuid"))
        missing = set(users or ()) - {project.uuid for project in projects}
        if missing:
            raise NotFound(f"These users have no system project: {', '.join(sorted(missing))}")
        ids = [project.pk for project in projects]
        for start in range(0, len(ids), BATCH):
            _write(row, ids[start : start + BATCH], value)
        sync_holdings(project_ids=ids, resources=[resource])
        quota_policy.projects_changed(projects, "MODIFY")
        audit.record(
            credentials,
            "project.set_base_quota",
            f"resource:{resource}",
            capacity=value,
            users=None if users is None else sorted(users),
            exclude=sorted(exclude),
        )
    return len(ids)


def _write(resource: Resource, project_ids: list[int], value: int) -> None:
    ProjectResourceQuota.objects.bulk_create(
        (
            ProjectResourceQuota(
                project_id=project_id, resource=resource, project_capacity=value, member_capacity=value
            )
            for project_id in project_ids
        ),
        update_conflicts=True,
        unique_fields=["project", "resource"],
        update_fields=["project_capacity", "member_capacity"],
    )
