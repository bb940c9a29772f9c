"""Lists of projects and members a page at a time, for people to read (web contract 10).

Pages follow each other by primary key, so that the last of 5,000 projects is as quick as the first.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from astakos.logic import keyset, project_reports
from astakos.logic.project_queries import is_project_admin
from astakos.models import (
    ApplicationState,
    MembershipState,
    Policy,
    Project,
    ProjectApplication,
    ProjectLog,
    ProjectMembership,
    ProjectState,
)
from astakos.models.project import ACCEPTED_STATES
from synnefo.credentials import Credentials
from synnefo.errors import Forbidden
from synnefo.units import INF

T = TypeVar("T")
MAX_SEARCH = 100
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_RELATED = (MembershipState.REQUESTED, *ACCEPTED_STATES)


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Some rows of a list; ``next`` continues it, ``None`` at its end.

    ``total`` is how many rows the list has, counted to ``keyset.MAX_COUNTED``.
    """

    rows: tuple[T, ...]
    next: int | None
    total: int


@dataclass(frozen=True, slots=True)
class MyMembership:
    """How the reader relates to a project; ``id`` is 0 for somebody who never did."""

    id: int
    state: str
    may_join: bool
    may_leave: bool
    may_cancel: bool


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project in a list."""

    uuid: str
    name: str
    status: str
    is_system: bool
    modification_pending: bool
    application: int | None
    is_pending: bool
    owner_email: str
    is_owner: bool
    application_date: dt.datetime
    end_date: dt.datetime
    members: int
    requests: int
    mine: MyMembership


#: Orders of a list of projects: field and whether the largest comes first.
SORTS = {
    "-created": ("pk", True),
    "created": ("pk", False),
    "name": ("realname", False),
    "-name": ("realname", True),
    "end": ("end_date", False),
    "-end": ("end_date", True),
}
#: What pages call the states of projects, in the order of the filter.
STATUSES = ("pending", "active", "suspended", "terminated", "denied", "dismissed", "cancelled")
_BY_STATUS = {
    "pending": Q(state=ProjectState.UNINITIALIZED, last_application__state=ApplicationState.PENDING),
    "active": Q(state=ProjectState.ACTIVE),
    "suspended": Q(state=ProjectState.SUSPENDED),
    "terminated": Q(state=ProjectState.TERMINATED),
    "denied": Q(state=ProjectState.UNINITIALIZED, last_application__state=ApplicationState.DENIED),
    "dismissed": Q(state=ProjectState.DELETED, last_application__state=ApplicationState.DISMISSED),
    "cancelled": Q(state=ProjectState.DELETED, last_application__state=ApplicationState.CANCELLED),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which projects a reader wants to see; ``status`` is one of ``STATUSES`` or empty.

    ``pending_only`` keeps those with an application to review, system projects only with ``show_base``;
    ``sort`` is one of ``SORTS``.
    """

    text: str = ""
    status: str = ""
    pending_only: bool = False
    show_base: bool = False
    sort: str = "-created"


def related(
    credentials: Credentials, *, chosen: Chosen = Chosen(), after: int | None = None, limit: int = 50
) -> Batch[ProjectRow]:
    """Return the *chosen* ones of the reader's projects; project administrators get all."""
    projects = Project.objects.all()
    if not is_project_admin(credentials):
        mine = ProjectMembership.objects.filter(
            project=OuterRef("pk"), person__uuid=credentials.user_id, state__in=_RELATED
        )
        # Who applied in the name of somebody else follows it until it is approved.
        applied = Q(
            last_application__applicant__uuid=credentials.user_id,
            state__in=(ProjectState.UNINITIALIZED, ProjectState.DELETED),
        )
        projects = projects.filter(Q(owner__uuid=credentials.user_id) | Q(Exists(mine)) | applied)
    among = projects
    if not chosen.show_base:
        projects = projects.filter(is_base=False)
    if chosen.pending_only:
        projects = projects.filter(last_application__state=ApplicationState.PENDING)
    if chosen.status:
        projects = projects.filter(_BY_STATUS[chosen.status])
    found = _with_text(projects, chosen.text)
    return _batch(credentials, found, after, limit, among=among, sort=chosen.sort)


def search(
    credentials: Credentials,
    *,
    text: str = "",
    sort: str = "-created",
    after: int | None = None,
    limit: int = 50,
) -> Batch[ProjectRow]:
    """Return the active projects that everybody may know of, whose name or description has *text*."""
    projects = Project.objects.filter(state=ProjectState.ACTIVE, private=False, is_base=False)
    return _batch(credentials, _with_text(projects, text), after, limit, among=projects, sort=sort)


def find(credentials: Credentials, *, text: str, limit: int) -> list[tuple[str, str, str]]:
    """Return id, name and status of the reader's projects, and of those he may join, with *text* in them."""
    mine = ProjectMembership.objects.filter(
        project=OuterRef("pk"), person__uuid=credentials.user_id, state__in=_RELATED
    )
    seen = Q(owner__uuid=credentials.user_id) | Q(Exists(mine)) | Q(state=ProjectState.ACTIVE, private=False)
    projects = Project.objects.filter(is_base=False).exclude(state=ProjectState.DELETED)
    if not is_project_admin(credentials):
        projects = projects.filter(seen)
    found = Q(uuid=text.lower()) if _UUID.fullmatch(text) else Q(realname__icontains=text)
    rows = projects.filter(found).select_related("last_application").order_by("realname", "pk")[:limit]
    return [(row.uuid, row.realname, project_reports.status(row)) for row in rows]


def _with_text(projects: QuerySet[Project], text: str) -> QuerySet[Project]:
    text = text.replace("\0", "")[:MAX_SEARCH]
    if not text:
        return projects
    return projects.filter(Q(realname__icontains=text) | Q(description__icontains=text))


def _batch(
    credentials: Credentials,
    projects: QuerySet[Project],
    after: int | None,
    limit: int,
    *,
    among: QuerySet[Project],
    sort: str = "-created",
) -> Batch[ProjectRow]:
    field, descending = SORTS[sort]
    ordered = keyset.behind(projects, among=among, field=field, descending=descending, after=after)
    found = list(_annotated(credentials, ordered)[: limit + 1])
    rows = found[:limit]
    following = rows[-1].pk if len(found) > limit else None
    total = len(rows) if after is None and following is None else keyset.count(projects)
    return Batch(tuple(_row(credentials, project) for project in rows), following, total)


def _annotated(credentials: Credentials, projects: QuerySet[Project]) -> QuerySet[Project]:
    mine = ProjectMembership.objects.filter(project=OuterRef("pk"), person__uuid=credentials.user_id)
    return projects.select_related("owner", "last_application").annotate(
        members_count=_count(ACCEPTED_STATES),
        requests_count=_count([MembershipState.REQUESTED]),
        my_id=Subquery(mine.values("pk")[:1]),
        my_state=Subquery(mine.values("state")[:1]),
    )


def _count(states: Sequence[int]) -> Coalesce:
    counted = (
        ProjectMembership.objects.filter(project=OuterRef("pk"), state__in=states)
        .order_by()
        .values("project")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def _row(credentials: Credentials, project: Project) -> ProjectRow:
    pending = project_reports.pending_application(project)
    application = project.last_application
    return ProjectRow(
        uuid=project.uuid,
        name=project.realname,
        status=project_reports.status(project),
        is_system=project.is_base,
        modification_pending=pending is not None and project.state != ProjectState.UNINITIALIZED,
        application=None if application is None else application.pk,
        is_pending=pending is not None,
        owner_email=project.owner.email if project.owner else "",
        is_owner=project.owner is not None and project.owner.uuid == credentials.user_id,
        application_date=project.creation_date if application is None else application.issue_date,
        end_date=project.end_date,
        members=getattr(project, "members_count", 0),
        requests=getattr(project, "requests_count", 0),
        mine=_mine(project),
    )


def _mine(project: Project) -> MyMembership:
    state: int | None = getattr(project, "my_state", None)
    alive = project.state in (ProjectState.ACTIVE, ProjectState.SUSPENDED)
    joins = alive and project.member_join_policy != Policy.CLOSED
    leaves = alive and project.member_leave_policy != Policy.CLOSED
    return MyMembership(
        id=getattr(project, "my_id", None) or 0,
        state="" if state is None else MembershipState(state).label,
        may_join=joins and state not in _RELATED,
        may_leave=leaves and state in (MembershipState.ACCEPTED, MembershipState.SUSPENDED),
        may_cancel=alive and state == MembershipState.REQUESTED,
    )


def to_review(credentials: Credentials, *, applications: Collection[int]) -> list[tuple[int, str]]:
    """Return those of *applications* that exist, each with its project's name; for project administrators.

    Raises ``Forbidden`` for everybody else.
    """
    if not is_project_admin(credentials):
        raise Forbidden("Only project administrators answer applications")
    found = ProjectApplication.objects.filter(pk__in=list(applications)).order_by("pk")
    rows = found.values_list("pk", "name", "project__realname")
    return [(pk, name or realname) for pk, name, realname in rows]


def row_of(credentials: Credentials, *, uuid: str) -> ProjectRow | None:
    """Return the list's row of one project, whether or not the reader may see it; one query."""
    project = _annotated(credentials, Project.objects.filter(uuid=uuid)).first()
    return None if project is None else _row(credentials, project)


@dataclass(frozen=True, slots=True)
class MemberCounts:
    """Seats of a project; ``free`` is ``None`` when there is no limit."""

    accepted: int
    pending: int
    free: int | None


def member_counts(*, uuid: str) -> MemberCounts:
    """Return how many members a project has, how many wait for the owner, how many more may come."""
    row = (
        Project.objects.filter(uuid=uuid)
        .annotate(
            members_count=_count(ACCEPTED_STATES),
            waiting=_count([MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED]),
            seats=F("limit_on_members_number"),
        )
        .values_list("members_count", "waiting", "seats")
        .first()
    )
    accepted, waiting, seats = row or (0, 0, 0)
    return MemberCounts(accepted, waiting, None if seats >= INF else max(0, seats - accepted))


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change of a project's state."""

    date: dt.datetime
    state: str
    actor: str
    reason: str


def history(*, uuid: str, limit: int = 50) -> list[HistoryLine]:
    """Return the newest changes of a project's state; for its owner and administrators."""
    rows = ProjectLog.objects.filter(project__uuid=uuid).select_related("actor").order_by("-pk")[:limit]
    return [
        HistoryLine(
            row.date, ProjectState(row.to_state).label, row.actor.email if row.actor else "", row.reason
        )
        for row in rows
    ]
