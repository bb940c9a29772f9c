"""Applying for projects and for changes of projects, and answering applications (identity contract 3.4, 3.5).

Every use case locks the project's row first, then the application's, then holdings; a project's unique name
is guarded by the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from astakos.logic import pending_applications, project_news, projects, quota_policy
from astakos.logic.application_fields import ApplicationFields, FieldReader, Grant
from astakos.logic.limits import sync_holdings
from astakos.logic.project_queries import is_project_admin
from astakos.models import (
    ApplicationResource,
    ApplicationState,
    Component,
    Policy,
    Project,
    ProjectApplication,
    ProjectLog,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, lock_rows, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound
from synnefo.texts import sentence
from synnefo.units import INF

#: An application for a system project may not touch these.
_FIXED_IN_SYSTEM_PROJECTS = ("owner", "name", "homepage", "description")


@dataclass(frozen=True, slots=True)
class Submitted:
    """An application that awaits review."""

    project: str
    application: int


@retry_on_deadlock
def submit_new(credentials: Credentials, *, body: Mapping[str, Any]) -> Submitted:
    """Apply for a new project.

    The project's row exists from now on, uninitialized. Raises ``BadRequest`` naming the field, ``Conflict``
    when the caller has too many applications pending.
    """
    fields = FieldReader(body).complete(is_new=True)
    submitter = _user(credentials)
    with atomic():
        project = _uninitialized_project(fields, fields.owner or submitter)
        return _submit(credentials, project, fields, submitter, is_new=True)


@retry_on_deadlock
def submit_modification(credentials: Credentials, *, project: str, body: Mapping[str, Any]) -> Submitted:
    """Apply for a change of a project; for its owner and for project administrators.

    Raises ``BadRequest``, ``NotFound``, ``Forbidden``, ``Conflict`` in the order of the contract (3.3).
    """
    reader = FieldReader(body)
    submitter = _user(credentials)
    with atomic():
        row = _locked_project(project)
        if not (is_project_admin(credentials) or row.owner_id == submitter.pk):
            raise Forbidden("Only the owner may change the project")
        if row.state in (ProjectState.UNINITIALIZED, ProjectState.DELETED):
            raise Conflict(
                sentence(
                    "Project %(project)s is %(state)s", project=project, state=ProjectState(row.state).label
                )
            )
        fields = reader.complete(is_new=False)
        columns = fields.columns()
        return _submit(
            credentials, row, fields, submitter, is_new=False,
            fixed=[name for name in _FIXED_IN_SYSTEM_PROJECTS if row.is_base and columns[name] is not None],
        )  # fmt: skip


def _user(credentials: Credentials) -> User:
    user = User.objects.filter(uuid=credentials.user_id).first()
    if user is None:
        raise Forbidden("Only users apply for projects")
    return user


def _locked_project(uuid: str) -> Project:
    try:
        return lock_one(Project.objects.filter(uuid=uuid))
    except Project.DoesNotExist:
        raise NotFound(sentence("There is no project %(project)s", project=uuid)) from None


def _uninitialized_project(fields: ApplicationFields, owner: User) -> Project:
    now = clock.now()
    assert fields.name is not None and fields.end_date is not None
    project = Project.objects.create(
        realname=fields.name,
        owner=owner,
        homepage=fields.homepage or "",
        description=fields.description or "",
        creation_date=now,
        end_date=fields.end_date,
        member_join_policy=fields.join_policy or Policy.MODERATED,
        member_leave_policy=fields.leave_policy or Policy.AUTO,
        limit_on_members_number=INF if fields.max_members is None else fields.max_members,
        private=bool(fields.private),
        state=ProjectState.UNINITIALIZED,
    )
    ProjectLog.objects.create(project=project, to_state=ProjectState.UNINITIALIZED, date=now, actor=owner)
    _replace_capacities(project, fields.resources)
    return project


def _replace_capacities(project: Project, grants: Mapping[str, Grant]) -> None:
    resources = {row.name: row for row in Resource.objects.filter(name__in=grants)}
    ProjectResourceQuota.objects.bulk_create(
        [
            ProjectResourceQuota(
                project=project, resource=resources[name], project_capacity=grant.project_capacity,
                member_capacity=grant.member_capacity,
            )
            for name, grant in grants.items()
        ],
        update_conflicts=True,
        unique_fields=["project", "resource"],
        update_fields=["project_capacity", "member_capacity"],
    )  # fmt: skip


def _submit(
    credentials: Credentials,
    project: Project,
    fields: ApplicationFields,
    submitter: User,
    *,
    is_new: bool,
    fixed: list[str] | None = None,
) -> Submitted:
    pending = ProjectApplication.objects.filter(project=project, state=ApplicationState.PENDING)
    replaced = lock_rows(pending.select_related("applicant"))
    pending_applications.charge(
        submitter=submitter,
        replaced=[application.applicant for application in replaced],
        force=is_project_admin(credentials),
    )
    if fixed:
        raise Conflict(
            sentence("The %(names)s of a system project cannot be changed", names=", ".join(fixed))
        )
    pending.update(state=ApplicationState.REPLACED)
    columns = fields.columns()
    if is_new:
        defaults = {"homepage": "", "description": "", "comments": "", "owner": submitter}
        columns |= {name: value for name, value in defaults.items() if columns[name] is None}
        columns |= {
            "member_join_policy": project.member_join_policy,
            "member_leave_policy": project.member_leave_policy,
            "limit_on_members_number": project.limit_on_members_number,
            "private": project.private,
        }
    application = ProjectApplication.objects.create(
        project=project, applicant=submitter, issue_date=clock.now(), **columns
    )
    resources = {row.name: row for row in Resource.objects.filter(name__in=fields.resources)}
    ApplicationResource.objects.bulk_create(
        ApplicationResource(
            application=application, resource=resources[name], project_capacity=grant.project_capacity,
            member_capacity=grant.member_capacity,
        )
        for name, grant in fields.resources.items()
    )  # fmt: skip
    project.last_application = application
    project.save(update_fields=["last_application"])
    project_news.submitted(application, is_new=is_new)
    audit.record(
        credentials, "project.apply", f"project:{project.uuid}", application=application.pk, new=is_new
    )
    return Submitted(project.uuid, application.pk)


# -- answers ---------------------------------------------------------------------------------------------


def _locked_application(
    credentials: Credentials, application_id: int, project: str | None, *, by_applicant: bool
) -> ProjectApplication:
    """Lock project and application; refuse in the order: unknown, not the newest, not allowed."""
    found = ProjectApplication.objects.filter(pk=application_id).values_list("project__uuid", flat=True)
    uuid = found.first() if 0 < application_id <= INF else None
    if uuid is None:
        raise NotFound(sentence("There is no application %(application_id)s", application_id=application_id))
    row = _locked_project(uuid if project is None else project)
    if row.uuid != uuid:
        raise Conflict(
            sentence(
                "Application %(application_id)s is not about project %(project)s",
                application_id=application_id,
                project=project,
            )
        )
    application = lock_one(ProjectApplication.objects.filter(pk=application_id).select_related("applicant"))
    if row.last_application_id != application.pk:
        raise Conflict(
            sentence(
                "Application %(application_id)s was replaced by application %(last_application_id)s",
                application_id=application_id,
                last_application_id=row.last_application_id,
            )
        )
    mine = by_applicant and application.applicant.uuid == credentials.user_id
    if not (mine or is_project_admin(credentials)):
        raise Forbidden("Only project administrators answer applications")
    application.project = row
    return application


def _require_state(application: ProjectApplication, state: ApplicationState) -> None:
    if application.state != state:
        label = ApplicationState(application.state).label
        raise Conflict(
            sentence(
                "Application %(application)s is %(label)s, not %(state)s",
                application=application.pk,
                label=label,
                state=state.label,
            )
        )


@retry_on_deadlock
def approve(
    credentials: Credentials, *, application_id: int, project: str | None = None, reason: str = ""
) -> None:
    """Let an application take effect: its fields go to the project, which becomes active.

    Raises ``NotFound``, ``Conflict`` for an answered or replaced application or a name in use, ``Forbidden``.
    """
    with atomic():
        # A resource registered at this moment would miss this project, as with system projects.
        lock_rows(Component.objects.only("id"))
        application = _locked_application(credentials, application_id, project, by_applicant=False)
        _require_state(application, ApplicationState.PENDING)
        row = application.project
        name, before = application.name or row.realname, ProjectState(row.state).label
        if application.name:
            _require_free_name(name, row)
        _answer(credentials, application, ApplicationState.APPROVED, reason)
        pending_applications.release(applicant=application.applicant)
        _apply(application, row, name, projects.actor_of(credentials), reason)
        sync_holdings(project_ids=[row.pk])
        quota_policy.projects_changed([row], "MODIFY")
        project_news.approved(application, previous_state=before)
        audit.record(credentials, "project.approve", f"project:{row.uuid}", application=application_id)


def _require_free_name(name: str, project: Project) -> None:
    if Project.objects.filter(name=name).exclude(pk=project.pk).exists():
        raise Conflict(sentence("There is already a project called %(name)s", name=name))


def _apply(
    application: ProjectApplication, project: Project, name: str, actor: User | None, reason: str
) -> None:
    for column in (
        "owner_id", "homepage", "description", "end_date", "member_join_policy", "member_leave_policy",
        "limit_on_members_number", "private",
    ):  # fmt: skip
        value = getattr(application, column)
        if value is not None:
            setattr(project, column, value)
    project.realname = name
    is_first = project.state == ProjectState.UNINITIALIZED
    if project.state != ProjectState.ACTIVE:
        projects.move_projects([project], ProjectState.ACTIVE, reason, actor=actor)
    save_with_name(project, name)
    grants = {
        row.resource.name: Grant(row.project_capacity, row.member_capacity)
        for row in application.resources.select_related("resource")
    }
    if is_first:
        mentioned = set(grants) | set(project.capacities.values_list("resource__name", flat=True))
        for resource in Resource.objects.exclude(name__in=mentioned):
            grants[resource.name] = Grant(resource.project_default, resource.project_default)
    _replace_capacities(project, grants)


def save_with_name(project: Project, name: str | None) -> None:
    """Save a locked project under its unique name; raises ``Conflict`` when another project took it."""
    project.name = name
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError:
        raise Conflict(sentence("There is already a project called %(name)s", name=name)) from None


def _answer(
    credentials: Credentials, application: ProjectApplication, state: ApplicationState, reason: str
) -> None:
    if len(reason) > 4096:
        raise BadRequest("'reason' has more than 4096 characters")
    actor, now = projects.actor_of(credentials), clock.now()
    application.state = state
    if state in (ApplicationState.APPROVED, ApplicationState.DENIED):
        application.response, application.response_date, application.response_actor = reason, now, actor
    else:
        application.waive_reason, application.waive_date, application.waive_actor = reason, now, actor
    application.save()


@retry_on_deadlock
def deny(
    credentials: Credentials, *, application_id: int, project: str | None = None, reason: str = ""
) -> None:
    """Turn an application down, with a reason for the applicant. Raises as ``approve``."""
    with atomic():
        application = _locked_application(credentials, application_id, project, by_applicant=False)
        _require_state(application, ApplicationState.PENDING)
        _answer(credentials, application, ApplicationState.DENIED, reason)
        pending_applications.release(applicant=application.applicant)
        project_news.denied(application)
        target = f"project:{application.project.uuid}"
        audit.record(credentials, "project.deny", target, application=application_id, reason=reason)


@retry_on_deadlock
def cancel(
    credentials: Credentials, *, application_id: int, project: str | None = None, reason: str = ""
) -> None:
    """Take a pending application back; for its applicant and administrators. Raises as ``approve``."""
    with atomic():
        application = _locked_application(credentials, application_id, project, by_applicant=True)
        _require_state(application, ApplicationState.PENDING)
        pending_applications.release(applicant=application.applicant)
        _waive(credentials, application, ApplicationState.CANCELLED, reason)


@retry_on_deadlock
def dismiss(
    credentials: Credentials, *, application_id: int, project: str | None = None, reason: str = ""
) -> None:
    """Put a denied application away; for its applicant and project administrators. Raises as ``approve``."""
    with atomic():
        application = _locked_application(credentials, application_id, project, by_applicant=True)
        _require_state(application, ApplicationState.DENIED)
        _waive(credentials, application, ApplicationState.DISMISSED, reason)


def _waive(
    credentials: Credentials, application: ProjectApplication, state: ApplicationState, reason: str
) -> None:
    _answer(credentials, application, state, reason)
    row = application.project
    if row.state == ProjectState.UNINITIALIZED:
        projects.move_projects([row], ProjectState.DELETED, reason, actor=projects.actor_of(credentials))
    audit.record(credentials, f"project.{state.label}", f"project:{row.uuid}", application=application.pk)
