"""What staff read about projects (administrator's contract 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from astakos.logic.limits import project_holder
from astakos.models import (
    ApplicationState,
    Holding,
    MembershipState,
    Policy,
    Project,
    ProjectApplication,
    ProjectLog,
    ProjectState,
)
from astakos.models.project import ACCEPTED_STATES
from synnefo.errors import NotFound
from synnefo.units import INF

_MAX_PK_DIGITS = 18


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A project's capacity of one resource and what is used of it."""

    resource: str
    unit: str | None
    member_capacity: int
    project_capacity: int
    usage: int


def status(project: Project) -> str:
    """Return where a project stands, in the words of commands and pages; reads ``last_application``."""
    state = ProjectState(project.state)
    application = project.last_application
    answered = None if application is None else application.state
    if state == ProjectState.UNINITIALIZED:
        words = {ApplicationState.PENDING: "Pending", ApplicationState.DENIED: "Denied"}
    elif state == ProjectState.DELETED:
        words = {ApplicationState.DISMISSED: "Dismissed", ApplicationState.CANCELLED: "Cancelled"}
    else:
        words = {}
    for application_state, word in words.items():
        if answered == application_state:
            return word
    return state.label.capitalize()


def pending_application(project: Project) -> int | None:
    """Return the number of the application that awaits review; reads ``last_application``."""
    application = project.last_application
    if application is None or application.state != ApplicationState.PENDING:
        return None
    return application.pk


def listing() -> QuerySet[Project]:
    """Return all projects with what a list shows of them, in one query."""
    deactivations = ProjectLog.objects.filter(
        project=OuterRef("pk"), to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED)
    ).order_by("-id")
    return Project.objects.select_related("owner", "last_application").annotate(
        deactivation_date=Subquery(deactivations.values("date")[:1])
    )


def find(text: str) -> Project:
    """Return the project with this uuid or id, as ``listing`` has it; raises ``NotFound``."""
    is_pk = text.isascii() and text.isdigit() and len(text) <= _MAX_PK_DIGITS
    found = Q(pk=int(text)) if is_pk else Q(uuid=text.lower())
    project = None if "\0" in text else listing().filter(found).first()
    if project is None:
        raise NotFound(
            f"Project with ID {text} does not exist. Use project-list to find out available project IDs."
        )
    return project


def details(project: Project) -> dict[str, Any]:
    """Return the fields of ``project-show``; *project* comes from ``listing``."""
    limit = project.limit_on_members_number
    fields: dict[str, Any] = {
        "project id": project.uuid,
        "name": project.realname,
        "status": status(project),
        "pending_app": pending_application(project),
        "owner": None if project.owner is None else f"{project.owner.uuid} ({project.owner.email})",
        "homepage": project.homepage,
        "description": project.description,
        "creation date": project.creation_date,
        "request end date": project.end_date,
    }
    deactivation = getattr(project, "deactivation_date", None)
    if deactivation is not None:
        fields["deactivation date"] = deactivation
    fields |= {
        "join policy": Policy(project.member_join_policy).label,
        "leave policy": Policy(project.member_leave_policy).label,
        "max members": "inf" if limit >= INF else limit,
        "total members": project.memberships.filter(state__in=ACCEPTED_STATES).count(),
    }
    return fields


def limits(project: Project) -> list[LimitLine]:
    """Return the project's capacities with their usage, in two queries."""
    usage = dict(
        Holding.objects.filter(holder=project_holder(project.uuid), source__isnull=True).values_list(
            "resource", "usage_max"
        )
    )
    rows = project.capacities.select_related("resource").order_by("resource__name")
    return [
        LimitLine(
            resource=row.resource.name,
            unit=row.resource.unit,
            member_capacity=row.member_capacity,
            project_capacity=row.project_capacity,
            usage=usage.get(row.resource.name, 0),
        )
        for row in rows
    ]


def members(project: Project) -> list[tuple[str, str, str]]:
    """Return (uuid, e-mail, state) of everybody who has or had to do with the project."""
    rows = project.memberships.select_related("person").order_by("pk")
    return [(row.person.uuid, row.person.email, MembershipState(row.state).label) for row in rows]


def application_fields(application: ProjectApplication) -> list[tuple[str, Any]]:
    """Return what an application is about and the fields it changes, as label and value."""
    policies = {policy.value: policy.label for policy in Policy}
    limit = application.limit_on_members_number
    changes: Sequence[tuple[str, Any]] = (
        ("name", application.name),
        ("owner", application.owner.uuid if application.owner else None),
        ("homepage", application.homepage),
        ("description", application.description),
        ("start date", application.start_date),
        ("end date", application.end_date),
        ("join policy", policies.get(application.member_join_policy or 0)),
        ("leave policy", policies.get(application.member_leave_policy or 0)),
        ("max members", "inf" if limit is not None and limit >= INF else limit),
        ("private", application.private),
    )
    resources = [
        (row.resource.name, f"{row.member_capacity} per member, {row.project_capacity} in total")
        for row in application.resources.select_related("resource")
    ]
    return [
        ("project id", application.project.uuid),
        ("application id", application.pk),
        ("status", ApplicationState(application.state).label),
        ("applicant", f"{application.applicant.uuid} ({application.applicant.email})"),
        ("comments for review", application.comments or ""),
        ("request issue date", application.issue_date),
        *((label, value) for label, value in changes if value is not None),
        *resources,
    ]
