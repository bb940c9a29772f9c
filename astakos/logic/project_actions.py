"""Suspending, resuming, ending and directly changing projects (identity contract 3.5, 7).

Every use case locks the project's row, then memberships and users it touches, then holdings.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from astakos.logic import project_news, projects, quota_policy
from astakos.logic.application_fields import FieldReader
from astakos.logic.applications import save_with_name
from astakos.logic.limits import BATCH, sync_holdings
from astakos.logic.project_queries import is_project_admin
from astakos.models import Project, ProjectResourceQuota, ProjectState, Resource, User
from astakos.models.project import ACCEPTED_STATES
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, SynnefoError
from synnefo.texts import sentence
from synnefo.units import INF

ALIVE = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def _locked(credentials: Credentials, uuid: str) -> Project:
    try:
        project = lock_one(Project.objects.filter(uuid=uuid).select_related("owner"))
    except Project.DoesNotExist:
        raise NotFound(sentence("There is no project %(project)s", project=uuid)) from None
    if not is_project_admin(credentials):
        raise Forbidden("Only project administrators may do this")
    return project


def _require(project: Project, *states: ProjectState) -> None:
    if project.state not in states:
        raise Conflict(
            sentence(
                "Project %(project)s is %(state)s",
                project=project.uuid,
                state=ProjectState(project.state).label,
            )
        )


def _finish(credentials: Credentials, project: Project, change: str, action: str, reason: str) -> None:
    sync_holdings(project_ids=[project.pk])
    quota_policy.projects_changed([project], action)
    project_news.state_changed(project, change, reason=reason)
    audit.record(credentials, f"project.{action.lower()}", f"project:{project.uuid}", reason=reason)


@retry_on_deadlock
def suspend(credentials: Credentials, *, project: str, reason: str = "") -> None:
    """Stop a project's quota for a while. Raises ``NotFound``, ``Forbidden``, ``Conflict``."""
    with atomic():
        row = _locked(credentials, project)
        _require(row, ProjectState.ACTIVE)
        projects.move_projects([row], ProjectState.SUSPENDED, reason, actor=projects.actor_of(credentials))
        _finish(credentials, row, "suspended", "SUSPEND", reason)


@retry_on_deadlock
def unsuspend(credentials: Credentials, *, project: str, reason: str = "") -> None:
    """Resume a suspended project. Raises ``NotFound``, ``Forbidden``, ``Conflict``."""
    with atomic():
        row = _locked(credentials, project)
        _require(row, ProjectState.SUSPENDED)
        projects.move_projects([row], ProjectState.ACTIVE, reason, actor=projects.actor_of(credentials))
        _finish(credentials, row, "unsuspended", "UNSUSPEND", reason)


@retry_on_deadlock
def terminate(credentials: Credentials, *, project: str, reason: str = "") -> None:
    """End a project; its name is free again, members fall back to their system projects.

    Raises ``NotFound``, ``Forbidden``, ``Conflict`` for a system project or one that has ended.
    """
    with atomic():
        row = _locked(credentials, project)
        if row.is_base:
            raise Conflict("A system project cannot be terminated")
        _require(row, *ALIVE)
        projects.move_projects([row], ProjectState.TERMINATED, reason, actor=projects.actor_of(credentials))
        row.name = None
        row.save(update_fields=["name"])
        members = User.objects.filter(
            memberships__project=row, memberships__state__in=ACCEPTED_STATES, default_project=row.uuid
        )
        for user in lock_rows(
            User.objects.filter(pk__in=members.values("pk")).select_related("base_project")
        ):
            projects.reset_default_project(user)
        _finish(credentials, row, "terminated", "TERMINATE", reason)


@retry_on_deadlock
def reinstate(credentials: Credentials, *, project: str, reason: str = "") -> None:
    """Bring a terminated project back. Raises ``Conflict`` when its name is taken meanwhile."""
    with atomic():
        row = _locked(credentials, project)
        _require(row, ProjectState.TERMINATED)
        if Project.objects.filter(name=row.realname).exists():
            raise Conflict(sentence("There is already a project called %(name)s", name=row.realname))
        projects.move_projects([row], ProjectState.ACTIVE, reason, actor=projects.actor_of(credentials))
        save_with_name(row, row.realname)
        _finish(credentials, row, "reinstated", "REINSTATE", reason)


ACTIONS: Mapping[str, Callable[..., None]] = {
    "suspend": suspend,
    "unsuspend": unsuspend,
    "terminate": terminate,
    "reinstate": reinstate,
}


def expired(*, moment: dt.datetime | None = None) -> list[Project]:
    """Return the projects that are alive past their end date."""
    ended = Project.objects.filter(state__in=ALIVE, is_base=False, end_date__lt=moment or clock.now())
    return list(ended.select_related("owner", "last_application"))


@dataclass(frozen=True, slots=True)
class Terminations:
    """What became of the projects that were due to end; failures come with their reason."""

    terminated: tuple[Project, ...]
    failed: tuple[tuple[Project, str], ...]


def terminate_expired(credentials: Credentials) -> Terminations:
    """Terminate what is past its end date, each in a transaction of its own: one cannot stop the rest."""
    terminated: list[Project] = []
    failed: list[tuple[Project, str]] = []
    for project in expired():
        try:
            terminate(credentials, project=project.uuid, reason="expired")
        except SynnefoError as error:
            failed.append((project, error.message))
        else:
            terminated.append(project)
    return Terminations(tuple(terminated), tuple(failed))


@dataclass(frozen=True, slots=True)
class Limit:
    """New limits of a resource, per member and in total."""

    resource: str
    member: int
    project: int


def _check_limits(limits: Sequence[Limit]) -> dict[str, int]:
    """Return the ids of the resources; raises ``BadRequest`` for unknown ones or impossible numbers."""
    known = dict(Resource.objects.values_list("name", "pk"))
    for limit in limits:
        if limit.resource not in known:
            raise BadRequest(
                sentence(
                    "There is no resource %(resource)s; see resource-list", resource=limit.resource[:100]
                )
            )
        if not 0 <= limit.member <= limit.project <= INF:
            raise BadRequest(
                sentence(
                    "Limits of %(resource)s: the member's may not exceed the project's",
                    resource=limit.resource,
                )
            )
    return known


def _set_limits(project_ids: Sequence[int], limits: Sequence[Limit], known: Mapping[str, int]) -> None:
    ProjectResourceQuota.objects.bulk_create(
        [
            ProjectResourceQuota(
                project_id=project, resource_id=known[limit.resource], project_capacity=limit.project,
                member_capacity=limit.member,
            )
            for project in project_ids
            for limit in limits
        ],
        update_conflicts=True,
        unique_fields=["project", "resource"],
        update_fields=["project_capacity", "member_capacity"],
    )  # fmt: skip
    sync_holdings(project_ids=project_ids, resources=[limit.resource for limit in limits])


#: What a system project cannot change, and nobody can change in bulk.
_IDENTITY = ("name", "owner", "homepage", "description")


@retry_on_deadlock
def modify(
    credentials: Credentials,
    *,
    project: str,
    changes: Mapping[str, object],
    limits: Sequence[Limit] = (),
) -> None:
    """Change a project at once, without an application; for administrators.

    ``changes`` has the keys of an application. Raises ``BadRequest`` naming the field, ``NotFound``,
    ``Conflict`` for a name in use or what a system project cannot change.
    """
    reader = FieldReader(changes)
    known = _check_limits(limits)
    with atomic():
        row = _locked(credentials, project)
        _require(row, *ALIVE, ProjectState.TERMINATED)
        columns = _columns(reader)
        name = columns.pop("name", None)
        if row.is_base and (name or columns.keys() & set(_IDENTITY)):
            raise Conflict("Name, owner, homepage and description of a system project cannot be changed")
        for column, value in columns.items():
            setattr(row, column, value)
        if name is not None:
            row.realname = name
        alive_name = name if name is not None and row.state in ALIVE else row.name
        if alive_name and Project.objects.filter(name=alive_name).exclude(pk=row.pk).exists():
            raise Conflict(sentence("There is already a project called %(name)s", name=alive_name))
        save_with_name(row, alive_name)
        if limits:
            _set_limits([row.pk], limits, known)
        quota_policy.projects_changed([row], "MODIFY")
        audit.record(
            credentials, "project.modify", f"project:{row.uuid}", fields=sorted(map(str, changes)),
            limits=[limit.resource for limit in limits],
        )  # fmt: skip


def _columns(reader: FieldReader) -> dict[str, Any]:
    """Return the project's columns that change; the notes of an application have no place in a project."""
    columns = reader.complete(is_new=False).columns()
    return {
        name: value
        for name, value in columns.items()
        if value is not None and name not in ("comments", "start_date")
    }


def modify_system_projects(
    credentials: Credentials,
    *,
    limits: Sequence[Limit] = (),
    changes: Mapping[str, object] | None = None,
    exclude: Sequence[str] = (),
) -> int:
    """Change all system projects but those of the users *exclude* (uuids); return how many.

    Works in batches, each a transaction of its own, so that no lock is held for long; doing it again is
    harmless. Raises ``BadRequest`` for what cannot be set in bulk, ``NotFound`` for an unknown exclusion.
    """
    if not is_project_admin(credentials):
        raise Forbidden("Only project administrators may do this")
    columns = _columns(FieldReader(changes or {}))
    if columns.keys() & set(_IDENTITY):
        raise BadRequest("Name, owner, homepage and description cannot be set for all system projects")
    known = _check_limits(limits)
    unknown = set(exclude) - set(
        Project.objects.filter(is_base=True, uuid__in=exclude).values_list("uuid", flat=True)
    )
    if unknown:
        raise NotFound(
            sentence("These are no system projects: %(names)s", names=", ".join(sorted(unknown))[:500])
        )
    found = Project.objects.filter(is_base=True).exclude(uuid__in=exclude).order_by("pk")
    ids = list(found.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        _modify_batch(credentials, ids[start : start + BATCH], columns, limits, known)
    return len(ids)


@retry_on_deadlock
def _modify_batch(
    credentials: Credentials,
    ids: Sequence[int],
    columns: Mapping[str, Any],
    limits: Sequence[Limit],
    known: Mapping[str, int],
) -> None:
    with atomic():
        rows = lock_rows(Project.objects.filter(pk__in=ids))
        if columns:
            Project.objects.filter(pk__in=ids).update(**columns)
        if limits:
            _set_limits([row.pk for row in rows], limits, known)
        quota_policy.projects_changed(rows, "MODIFY")
        audit.record(
            credentials, "project.modify_all", "project:system", projects=len(rows),
            fields=sorted(columns), limits=[limit.resource for limit in limits],
        )  # fmt: skip
