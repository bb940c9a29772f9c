"""Who may see which projects, and what they read about them (identity contract 3.3, 3.4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from django.conf import settings
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from astakos.models import (
    ApplicationResource,
    ApplicationState,
    Policy,
    Project,
    ProjectApplication,
    ProjectLog,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
)
from astakos.models.project import ACCEPTED_STATES, ACTUALLY_ACCEPTED
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound
from synnefo.texts import sentence

MODES = ("default", "related", "member", "active")
#: Projects read at once by a list.
BATCH = 500
_STATES = {state.label: state for state in ProjectState}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a project may use of a resource, in total and per member."""

    resource: str
    project_capacity: int
    member_capacity: int


@dataclass(frozen=True, slots=True)
class ApplicationDetails:
    """An application as the owner and project administrators read it; ``None`` is "no change"."""

    id: int
    project: str
    state: str
    name: str | None
    owner: str | None
    owner_email: str | None
    applicant: str
    applicant_email: str
    homepage: str | None
    description: str | None
    start_date: dt.datetime | None
    end_date: dt.datetime | None
    comments: str | None
    join_policy: str | None
    leave_policy: str | None
    max_members: int | None
    private: bool | None
    resources: tuple[Capacity, ...]
    issue_date: dt.datetime
    response: str


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
    last_application: ApplicationDetails | None = None
    owner_email: str = ""


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
        raise BadRequest(
            sentence("Unknown mode '%(mode)s'; there are %(names)s", mode=mode[:50], names=", ".join(MODES))
        )
    projects = _in_mode(credentials, mode)
    if name is not None:
        projects = projects.filter(realname=name)
    if owner is not None:
        projects = projects.filter(owner__uuid=owner)
    if state is not None:
        if state not in _STATES:
            raise BadRequest(
                sentence(
                    "Unknown state '%(given)s'; there are %(names)s",
                    given=state[:50],
                    names=", ".join(_STATES),
                )
            )
        projects = projects.filter(state=_STATES[state])
    return list(_in_batches(credentials, projects))


def _in_batches(credentials: Credentials, projects: QuerySet[Project]) -> Iterator[ProjectDetails]:
    """Yield *projects* in the order they were made, with the rows of one batch in memory at a time."""
    last = 0
    while True:
        batch = list(_with_details(projects.filter(pk__gt=last)).order_by("pk")[:BATCH])
        for project in batch:
            yield _details(credentials, project)
        if len(batch) < BATCH:
            return
        last = batch[-1].pk


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
        raise NotFound(sentence("There is no project %(project)s", project=uuid))
    public = project.state == ProjectState.ACTIVE and not project.private
    if not (is_project_admin(credentials) or public or _is_related(credentials, project)):
        raise Forbidden(sentence("Project %(project)s is not visible to you", project=uuid))
    return _details(credentials, project)


def show_project_of_application(credentials: Credentials, *, uuid: str) -> ProjectDetails:
    """Return a project to those who may see its newest application as well: its applicant among them.

    Who applies in the name of somebody else is neither owner nor member, and still has to follow what he sent
    until it is approved. Raises ``NotFound``, ``Forbidden``.
    """
    project = _with_details(Project.objects.filter(uuid=uuid)).first()
    application = project.last_application if project is not None else None
    if (
        project is not None
        and application is not None
        and project.state in (ProjectState.UNINITIALIZED, ProjectState.DELETED)
        and application.applicant.uuid == credentials.user_id
    ):
        return replace(
            _details(credentials, project), last_application=application_details(application, project=uuid)
        )
    return show_project(credentials, uuid=uuid)


def _is_related(credentials: Credentials, project: Project) -> bool:
    related = Q(owner__uuid=credentials.user_id) | _has_membership(credentials.user_id, ACCEPTED_STATES)
    return Project.objects.filter(related, pk=project.pk).exists()


def _with_details(projects: QuerySet[Project]) -> QuerySet[Project]:
    deactivations = ProjectLog.objects.filter(
        project=OuterRef("pk"), to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED)
    ).order_by("-id")
    visible = ProjectResourceQuota.objects.filter(resource__api_visible=True).select_related("resource")
    asked = ApplicationResource.objects.filter(resource__api_visible=True).select_related("resource")
    return (
        projects.select_related(
            "owner", "last_application", "last_application__owner", "last_application__applicant"
        )
        .prefetch_related(
            Prefetch("capacities", queryset=visible),
            Prefetch("last_application__resources", queryset=asked),
        )
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
        last_application=(
            application_details(project.last_application, project=project.uuid)
            if privileged and project.last_application is not None
            else None
        ),
        owner_email=project.owner.email if project.owner else "",
    )


def show_application(credentials: Credentials, *, project: str, application_id: int) -> ApplicationDetails:
    """Return an application of a project, not only the newest; for owner, applicant and administrators.

    Raises ``NotFound``, ``Forbidden``.
    """
    asked = ApplicationResource.objects.filter(resource__api_visible=True).select_related("resource")
    application = (
        ProjectApplication.objects.filter(pk=application_id, project__uuid=project)
        .select_related("owner", "applicant", "project__owner")
        .prefetch_related(Prefetch("resources", queryset=asked))
        .first()
    )
    if application is None:
        raise NotFound(
            sentence(
                "There is no application %(application_id)s of project %(project)s",
                application_id=application_id,
                project=project,
            )
        )
    people = {application.applicant.uuid}
    if application.project.owner is not None:
        people.add(application.project.owner.uuid)
    if credentials.user_id not in people and not is_project_admin(credentials):
        raise Forbidden("Only the owner, the applicant and project administrators see applications")
    return application_details(application, project=project)


def application_details(application: ProjectApplication, *, project: str) -> ApplicationDetails:
    """Return *application* of the project *project* (its uuid) for those who may read it."""

    def policy(value: int | None) -> str | None:
        return None if value is None else Policy(value).label

    return ApplicationDetails(
        id=application.pk,
        project=project,
        state=ApplicationState(application.state).label,
        name=application.name,
        owner=application.owner.uuid if application.owner else None,
        owner_email=application.owner.email if application.owner else None,
        applicant=application.applicant.uuid,
        applicant_email=application.applicant.email,
        homepage=application.homepage,
        description=application.description,
        start_date=application.start_date,
        end_date=application.end_date,
        comments=application.comments,
        join_policy=policy(application.member_join_policy),
        leave_policy=policy(application.member_leave_policy),
        max_members=application.limit_on_members_number,
        private=application.private,
        resources=tuple(
            Capacity(row.resource.name, row.project_capacity, row.member_capacity)
            for row in application.resources.all()
        ),
        issue_date=application.issue_date,
        response=application.response,
    )
