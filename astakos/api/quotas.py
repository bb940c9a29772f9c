"""Resources and quotas (identity contract 2.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from astakos.api.service import identity_of, service_of
from astakos.logic import quotas, resources
from astakos.logic.quotas import ProjectQuota, UserQuota
from synnefo.api import json_response
from synnefo.api.responses import json_bytes, spooled_response
from synnefo.errors import BadRequest, NotFound

_MAX_IDS = 1000


def list_resources(request: HttpRequest) -> HttpResponse:
    """List what is counted, for everybody."""
    return json_response(
        {
            item.name: {
                "service": item.service,
                "description": item.description,
                "unit": item.unit,
                "ui_visible": item.ui_visible,
                "api_visible": True,
            }
            for item in resources.public_resources()
        }
    )


def show_quotas(request: HttpRequest) -> HttpResponse:
    """Show the user's quota by project and resource."""
    identity = identity_of(request)
    answer: dict[str, dict[str, Any]] = defaultdict(dict)
    for quota in quotas.user_quotas(user_id=identity.uuid):
        answer[quota.project][quota.resource] = _numbers(quota)
    return json_response(answer)


def service_quotas(request: HttpRequest) -> HttpResponseBase:
    """Show users' quotas of the calling component's resources."""
    component = service_of(request)
    users, projects = _ids(request, "user"), _ids(request, "project")
    resources = quotas.resources_of_component(component.component_id)
    if users is None:
        rows = quotas.stream_service_quotas(resources=resources, projects=projects)
        return spooled_response(_members(_by_user(rows)))
    answer = dict(_by_user(quotas.service_quotas(resources=resources, users=users, projects=projects)))
    if not answer:
        raise NotFound(f"No user with UUID '{','.join(users)[:200]}'")
    return json_response(answer)


def service_project_quotas(request: HttpRequest) -> HttpResponseBase:
    """Show projects' own quotas of the calling component's resources."""
    component = service_of(request)
    projects = _ids(request, "project")
    resources = quotas.resources_of_component(component.component_id)
    if projects is None:
        return spooled_response(_members(_by_project(quotas.stream_project_quotas(resources=resources))))
    answer = dict(_by_project(quotas.project_quotas(resources=resources, projects=projects)))
    if not answer:
        raise NotFound(f"No project with UUID '{','.join(projects)[:200]}'")
    return json_response(answer)


def _by_user(rows: Iterable[UserQuota]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each user with the answer about him; rows of a user come together."""
    for user, of_user in groupby(rows, key=attrgetter("user")):
        projects: dict[str, Any] = defaultdict(dict)
        for quota in of_user:
            projects[quota.project][quota.resource] = _numbers(quota)
        yield user, projects


def _by_project(rows: Iterable[ProjectQuota]) -> Iterator[tuple[str, dict[str, Any]]]:
    for project, of_project in groupby(rows, key=attrgetter("project")):
        yield (
            project,
            {
                quota.resource: {
                    "project_limit": quota.limit,
                    "project_usage": quota.usage,
                    "project_pending": quota.pending,
                }
                for quota in of_project
            },
        )


def _members(items: Iterable[tuple[str, Any]]) -> Iterator[bytes]:
    """Yield the pieces of the JSON object that has *items*."""
    separator = b"{"
    for name, value in items:
        yield b"".join((separator, json_bytes(name), b": ", json_bytes(value)))
        separator = b", "
    yield b"{}" if separator == b"{" else b"}"


def _numbers(quota: UserQuota) -> dict[str, int]:
    return {
        "limit": quota.limit,
        "usage": quota.usage,
        "pending": quota.pending,
        "project_limit": quota.project_limit,
        "project_usage": quota.project_usage,
        "project_pending": quota.project_pending,
    }


def _ids(request: HttpRequest, parameter: str) -> list[str] | None:
    """Return the comma-separated ids of a query parameter, ``None`` when it is not given."""
    text = request.GET.get(parameter)
    if not text:
        return None
    ids = [item for item in text.split(",") if item]
    if len(ids) > _MAX_IDS:
        raise BadRequest(f"'{parameter}' names {len(ids)} ids, at most {_MAX_IDS} are allowed")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRequest(f"'{parameter}' contains characters that no id has")
    return ids
