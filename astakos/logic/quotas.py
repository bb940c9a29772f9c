"""Reading quota: batch queries over holdings (identity contract 2.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from astakos.logic.limits import project_holder, user_holder
from astakos.logic.services import service_names_of
from astakos.models import Holding, Project, ProjectMembership, ProjectState, Resource
from astakos.models.project import ACTUALLY_ACCEPTED, INITIALIZED_STATES

_USER_PREFIX = "user:"
_PROJECT_PREFIX = "project:"


@dataclass(frozen=True, slots=True)
class ProjectQuota:
    """A project's own holding of one resource."""

    project: str
    resource: str
    limit: int
    usage: int
    pending: int


@dataclass(frozen=True, slots=True)
class UserQuota:
    """A user's holding in one project, next to the project's own."""

    user: str
    project: str
    resource: str
    limit: int
    usage: int
    pending: int
    project_limit: int
    project_usage: int
    project_pending: int


def user_quotas(*, user_id: str) -> list[UserQuota]:
    """Return what the user has of each API-visible resource in the projects he is in."""
    projects = ProjectMembership.objects.filter(person__uuid=user_id, state__in=ACTUALLY_ACCEPTED).exclude(
        project__state=ProjectState.DELETED
    )
    uuids = list(projects.values_list("project__uuid", flat=True))
    visible = Resource.objects.filter(api_visible=True).values("name")
    return _user_quotas(
        Holding.objects.filter(
            holder=user_holder(user_id), source__in=map(project_holder, uuids), resource__in=visible
        )
    )


def service_quotas(
    *,
    resources: Collection[str],
    users: Collection[str] | None = None,
    projects: Collection[str] | None = None,
) -> list[UserQuota]:
    """Return users' holdings of *resources*, of all users and projects or of the named ones.

    Includes rows of removed memberships, so that usage left behind stays visible.
    """
    holdings = Holding.objects.filter(source__isnull=False, resource__in=resources)
    if users is not None:
        holdings = holdings.filter(holder__in=map(user_holder, users))
    if projects is not None:
        holdings = holdings.filter(source__in=map(project_holder, projects))
    return _user_quotas(holdings)


def _user_quotas(holdings: QuerySet[Holding]) -> list[UserQuota]:
    columns = ("holder", "source", "resource", "limit", "usage_min", "usage_max")
    rows = list(holdings.order_by("id").values_list(*columns))
    if not rows:
        return []
    totals = {
        (quota.project, quota.resource): quota
        for quota in _project_quotas(
            Holding.objects.filter(
                holder__in={row[1] for row in rows},
                source__isnull=True,
                resource__in={row[2] for row in rows},
            )
        )
    }
    quotas = []
    for holder, source, resource, limit, usage_min, usage_max in rows:
        project = source.removeprefix(_PROJECT_PREFIX)
        total = totals.get((project, resource), ProjectQuota(project, resource, 0, 0, 0))
        quotas.append(
            UserQuota(
                user=holder.removeprefix(_USER_PREFIX),
                project=project,
                resource=resource,
                limit=limit,
                usage=usage_max,
                pending=usage_max - usage_min,
                project_limit=total.limit,
                project_usage=total.usage,
                project_pending=total.pending,
            )
        )
    return quotas


def project_quotas(
    *, resources: Collection[str], projects: Collection[str] | None = None
) -> list[ProjectQuota]:
    """Return initialised projects' own holdings of *resources*, of all of them or of the named ones."""
    initialised = Project.objects.filter(state__in=INITIALIZED_STATES)
    if projects is not None:
        initialised = initialised.filter(uuid__in=projects)
    holders = [project_holder(uuid) for uuid in initialised.values_list("uuid", flat=True)]
    chunks = (holders[start : start + 500] for start in range(0, len(holders), 500))
    return [
        quota
        for chunk in chunks
        for quota in _project_quotas(
            Holding.objects.filter(holder__in=chunk, source__isnull=True, resource__in=resources)
        )
    ]


def _project_quotas(holdings: QuerySet[Holding]) -> Iterable[ProjectQuota]:
    rows = holdings.order_by("id").values_list("holder", "resource", "limit", "usage_min", "usage_max")
    return [
        ProjectQuota(holder.removeprefix(_PROJECT_PREFIX), resource, limit, usage_max, usage_max - usage_min)
        for holder, resource, limit, usage_min, usage_max in rows
    ]


def resources_of_component(component_id: int) -> list[str]:
    """Return the names of the resources that a component's services registered."""
    return list(
        Resource.objects.filter(service_origin__in=service_names_of(component_id)).values_list(
            "name", flat=True
        )
    )
