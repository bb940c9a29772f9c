"""Reading quota: batch queries over holdings (identity contract 2.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from astakos.logic.limits import project_holder, user_holder
from synnefo.db import prepared
from synnefo.db.streams import stream

_USER_PREFIX = "user:"
_PROJECT_PREFIX = "project:"

_PAIRS = """
SELECT h.holder, h.source, h.resource, h."limit", h.usage_min, h.usage_max,
       coalesce(p."limit", 0), coalesce(p.usage_min, 0), coalesce(p.usage_max, 0)
  FROM astakos_holding h
  LEFT JOIN astakos_holding p ON p.holder = h.source AND p.resource = h.resource AND p.source IS NULL
 WHERE h.source IS NOT NULL AND {}
 ORDER BY h.holder, h.source, h.id
"""
_PROJECTS = """
SELECT h.holder, h.resource, h."limit", h.usage_min, h.usage_max
  FROM astakos_holding h
 WHERE h.source IS NULL AND {}
   AND h.holder IN (SELECT 'project:' || j.uuid FROM astakos_project j WHERE j.state IN (1, 10, 100))
 ORDER BY h.holder, h.id
"""
_RESOURCES = """
SELECT r.name FROM astakos_resource r JOIN astakos_service s ON s.name = r.service_origin
 WHERE s.component_id = %s ORDER BY r.id
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
    sql = _PAIRS.format(f"h.holder = %s AND {_OWN_PROJECTS} AND {_VISIBLE}")
    return list(map(_user_quota, prepared.fetch_all(sql, [user_holder(user_id), user_id])))


def service_quotas(
    *,
    resources: Collection[str],
    users: Collection[str] | None = None,
    projects: Collection[str] | None = None,
) -> list[UserQuota]:
    """Return users' holdings of *resources*, of all users and projects or of the named ones.

    Includes rows of removed memberships, so that usage left behind stays visible. Ordered by user, then by
    project.
    """
    sql, parameters = _user_statement(resources, users, projects)
    return list(map(_user_quota, prepared.fetch_all(sql, parameters)))


def stream_service_quotas(
    *, resources: Collection[str], projects: Collection[str] | None = None
) -> Iterator[UserQuota]:
    """Yield what ``service_quotas`` returns for all users, in bounded memory however many there are."""
    return map(_user_quota, stream(*_user_statement(resources, None, projects)))


def _user_statement(
    resources: Collection[str], users: Collection[str] | None, projects: Collection[str] | None
) -> tuple[str, list[Any]]:
    wanted: list[tuple[str, Iterable[str]]] = [("h.resource", resources)]
    if users is not None:
        wanted.append(("h.holder", map(user_holder, users)))
    if projects is not None:
        wanted.append(("h.source", map(project_holder, projects)))
    condition, parameters = _all_of(wanted)
    return _PAIRS.format(condition), parameters


def _all_of(wanted: Iterable[tuple[str, Iterable[str]]]) -> tuple[str, list[Any]]:
    """Return the condition that each column has one of its values, and its parameters.

    An array on PostgreSQL, so that there are few different statements, which are planned once.
    """
    conditions: list[str] = []
    parameters: list[Any] = []
    for column, values in wanted:
        items = list(values)
        if connection.vendor == "postgresql":
            conditions.append(f"{column} = ANY (%s::text[])")
            parameters.append(items)
        else:
            conditions.append(f"{column} IN ({', '.join(['%s'] * len(items))})" if items else "1 = 0")
            parameters += items
    return " AND ".join(conditions), parameters


def _user_quota(row: tuple[Any, ...]) -> UserQuota:
    holder, source, resource, limit, low, high, project_limit, project_low, project_high = row
    return UserQuota(
        user=holder.removeprefix(_USER_PREFIX),
        project=source.removeprefix(_PROJECT_PREFIX),
        resource=resource,
        limit=limit,
        usage=high,
        pending=high - low,
        project_limit=project_limit,
        project_usage=project_high,
        project_pending=project_high - project_low,
    )


def project_quotas(
    *, resources: Collection[str], projects: Collection[str] | None = None
) -> list[ProjectQuota]:
    """Return initialised projects' own holdings of *resources*, of all of them or of the named ones."""
    sql, parameters = _project_statement(resources, projects)
    return list(map(_project_quota, prepared.fetch_all(sql, parameters)))


def stream_project_quotas(*, resources: Collection[str]) -> Iterator[ProjectQuota]:
    """Yield what ``project_quotas`` returns for all projects, in bounded memory."""
    return map(_project_quota, stream(*_project_statement(resources, None)))


def _project_statement(resources: Collection[str], projects: Collection[str] | None) -> tuple[str, list[Any]]:
    wanted: list[tuple[str, Iterable[str]]] = [("h.resource", resources)]
    if projects is not None:
        wanted.append(("h.holder", map(project_holder, projects)))
    condition, parameters = _all_of(wanted)
    return _PROJECTS.format(condition), parameters


def _project_quota(row: tuple[Any, ...]) -> ProjectQuota:
    holder, resource, limit, low, high = row
    return ProjectQuota(holder.removeprefix(_PROJECT_PREFIX), resource, limit, high, high - low)


def resources_of_component(component_id: int) -> list[str]:
    """Return the names of the resources that a component's services registered."""
    return [name for (name,) in prepared.fetch_all(_RESOURCES, [component_id])]
