"""Reading quota: batch queries over holdings (identity contract 2.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from astakos.logic.limits import project_holder, user_holder
from astakos.models import Holding, Project, Resource, Service
from astakos.models.project import INITIALIZED_STATES

_USER_PREFIX = "user:"
_PROJECT_PREFIX = "project:"

_PAIRS = """
SELECT h.holder, h.source, h.resource, h."limit", h.usage_min, h.usage_max,
       coalesce(p."limit", 0), coalesce(p.usage_min, 0), coalesce(p.usage_max, 0)
  FROM astakos_holding h
  LEFT JOIN astakos_holding p ON p.holder = h.source AND p.resource = h.resource AND p.source IS NULL
 WHERE h.source IS NOT NULL AND {}
 ORDER BY h.id
"""
#: Where the member is accepted or asked to leave, in projects that are not deleted.
_OWN_PROJECTS = """h.source IN (
    SELECT 'project:' || j.uuid
      FROM astakos_user u
      JOIN astakos_project_membership m ON m.person_id = u.id
      JOIN astakos_project j ON j.id = m.project_id
     WHERE u.uuid = %s AND m.state IN (1, 5) AND j.state <> 1000)"""
_VISIBLE = "h.resource IN (SELECT name FROM astakos_resource WHERE api_visible)"


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
    return _user_quotas(f"h.holder = %s AND {_OWN_PROJECTS} AND {_VISIBLE}", [user_holder(user_id), user_id])


def service_quotas(
    *,
    resources: Collection[str],
    users: Collection[str] | None = None,
    projects: Collection[str] | None = None,
) -> list[UserQuota]:
    """Return users' holdings of *resources*, of all users and projects or of the named ones.

    Includes rows of removed memberships, so that usage left behind stays visible.
    """
    conditions, parameters = [_one_of("h.resource", resources)], list(resources)
    if users is not None:
        conditions.append(_one_of("h.holder", users))
        parameters += map(user_holder, users)
    if projects is not None:
        conditions.append(_one_of("h.source", projects))
        parameters += map(project_holder, projects)
    return _user_quotas(" AND ".join(conditions), parameters)


def _one_of(column: str, values: Collection[str]) -> str:
    return f"{column} IN ({', '.join(['%s'] * len(values))})" if values else "1 = 0"


def _user_quotas(condition: str, parameters: Sequence[str]) -> list[UserQuota]:
    """Return the user holdings that satisfy *condition*, each with its project's, in one query.

    Written out because every page of a user asks for it and compiling it takes longer than running it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS.format(condition), parameters)
        rows = cursor.fetchall()
    return [
        UserQuota(
            user=holder.removeprefix(_USER_PREFIX),
            project=source.removeprefix(_PROJECT_PREFIX),
            resource=resource,
            limit=limit,
            usage=usage_max,
            pending=usage_max - usage_min,
            project_limit=project_limit,
            project_usage=project_max,
            project_pending=project_max - project_min,
        )
        for (
            holder, source, resource, limit, usage_min, usage_max, project_limit, project_min, project_max,
        ) in rows
    ]  # fmt: skip


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
    services = Service.objects.filter(component_id=component_id)
    resources = Resource.objects.filter(service_origin__in=services.values("name"))
    return list(resources.values_list("name", flat=True))
