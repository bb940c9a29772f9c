"""Who may see which projects, and what they read about them (identity contract 3.3, 3.4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from astakos.models import Policy, Project, ProjectLog, ProjectMembership, ProjectResourceQuota, ProjectState
from astakos.models.project import ACCEPTED_STATES, ACTUALLY_ACCEPTED
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound

MODES = ("default", "related", "member", "active")
_STATES = {state.label: state for state in ProjectState}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a project may use of a resource, in total and per member."""

    resource: str
    project_capacity: int
    member_capacity: int


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """A project as its viewers read it; ``deactivation_date`` is for its owner and administrators."""

    uuid: str
    state: str
    creation_date: dt.datetime
    name: str
    owner: str | None
    homepage: str
    description: str
    end_date: dt.datetime
    join_policy: str
    leave_policy: str
    max_members: int
    private: bool
    system_project: bool
    resources: tuple[Capacity, ...]
    deactivation_date: dt.datetime | None


def is_project_admin(credentials: Credentials) -> bool:
    """Tell whether the caller may see and decide about every project."""
    return credentials.is_admin or credentials.user_id in settings.ASTAKOS_PROJECT_ADMINS


def list_projects(
    credentials: Credentials,
    *,
    mode: str = "default",
    name: str | None = None,
    owner: str | None = None,
    state: str | None = None,
) -> list[ProjectDetails]:
    """Return the projects of *mode* that match all given filters; raises ``BadRequest`` for unknown words."""
    if mode not in MODES:
        raise BadRequest(f"Unknown mode '{mode[:50]}'; there are {', '.join(MODES)}")
    projects = _in_mode(credentials, mode)
    if name is not None:
        projects = projects.filter(realname=name)
    if owner is not None:
        projects = projects.filter(owner__uuid=owner)
    if state is not None:
        if state not in _STATES:
            raise BadRequest(f"Unknown state '{state[:50]}'; there are {', '.join(_STATES)}")
        projects = projects.filter(state=_STATES[state])
    return [_details(credentials, project) for project in _with_details(projects)]


def _in_mode(credentials: Credentials, mode: str) -> QuerySet[Project]:
    user = credentials.user_id
    if mode == "member":
        return Project.objects.filter(_has_membership(user, ACTUALLY_ACCEPTED), state=ProjectState.ACTIVE)
    if is_project_admin(credentials):
        return Project.objects.all()
    if mode == "active":
        return Project.objects.filter(state=ProjectState.ACTIVE, private=False)
    return Project.objects.filter(Q(owner__uuid=user) | _has_membership(user, ACCEPTED_STATES))


def _has_membership(user: str, states: Collection[int]) -> Q:
    memberships = ProjectMembership.objects.filter(
        project=OuterRef("pk"), person__uuid=user, state__in=states
    )
    return Q(Exists(memberships))


def show_project(credentials: Credentials, *, uuid: str) -> ProjectDetails:
    """Return one project; raises ``NotFound``, or ``Forbidden`` for a project the caller may not see."""
    project = _with_details(Project.objects.filter(uuid=uuid)).first()
    if project is None:
        raise NotFound(f"There is no project {uuid}")
    public = project.state == ProjectState.ACTIVE and not project.private
    if not (is_project_admin(credentials) or public or _is_related(credentials, project)):
        raise Forbidden(f"Project {uuid} is not visible to you")
    return _details(credentials, project)


def _is_related(credentials: Credentials, project: Project) -> bool:
    related = Q(owner__uuid=credentials.user_id) | _has_membership(credentials.user_id, ACCEPTED_STATES)
    return Project.objects.filter(related, pk=project.pk).exists()


def _with_details(projects: QuerySet[Project]) -> QuerySet[Project]:
    deactivations = ProjectLog.objects.filter(
        project=OuterRef("pk"), to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED)
    ).order_by("-id")
    visible = ProjectResourceQuota.objects.filter(resource__api_visible=True).select_related("resource")
    return (
        projects.select_related("owner")
        .prefetch_related(Prefetch("capacities", queryset=visible))
        .annotate(deactivation_date=Subquery(deactivations.values("date")[:1]))
    )


def _details(credentials: Credentials, project: Project) -> ProjectDetails:
    owner = project.owner.uuid if project.owner else None
    deactivation: dt.datetime | None = getattr(project, "deactivation_date", None)
    privileged = is_project_admin(credentials) or owner == credentials.user_id
    return ProjectDetails(
        uuid=project.uuid,
        state=ProjectState(project.state).label,
        creation_date=project.creation_date,
        name=project.realname,
        owner=owner,
        homepage=project.homepage,
        description=project.description,
        end_date=project.end_date,
        join_policy=Policy(project.member_join_policy).label,
        leave_policy=Policy(project.member_leave_policy).label,
        max_members=project.limit_on_members_number,
        private=project.private,
        system_project=project.is_base,
        resources=tuple(
            Capacity(row.resource.name, row.project_capacity, row.member_capacity)
            for row in project.capacities.all()
        ),
        deactivation_date=deactivation if privileged else None,
    )
