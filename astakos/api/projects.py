"""Reading projects (identity contract 3.4)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.logic import project_queries
from astakos.logic.authentication import Identity
from astakos.logic.project_queries import ProjectDetails
from synnefo import clock
from synnefo.api import json_response
from synnefo.errors import BadRequest


def list_projects(request: HttpRequest) -> HttpResponse:
    """List the projects the caller asks for."""
    identity: Identity = request.credentials  # type: ignore[attr-defined]
    filters = {key: _filter(request, key) for key in ("name", "owner", "state")}
    projects = project_queries.list_projects(
        identity.credentials(), mode=request.GET.get("mode") or "default", **filters
    )
    return json_response([_project(project) for project in projects])


def _filter(request: HttpRequest, key: str) -> str | None:
    text = request.GET.get(key)
    if text and ("\0" in text or any("\ud800" <= character <= "\udfff" for character in text)):
        raise BadRequest(f"'{key}' contains characters that cannot be looked for")
    return text


def show_project(request: HttpRequest, uuid: str) -> HttpResponse:
    """Show one project."""
    identity: Identity = request.credentials  # type: ignore[attr-defined]
    return json_response(_project(project_queries.show_project(identity.credentials(), uuid=uuid)))


def _project(project: ProjectDetails) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": project.uuid,
        "state": project.state,
        "creation_date": clock.isoformat(project.creation_date),
        "name": project.name,
        "owner": project.owner,
        "homepage": project.homepage,
        "description": project.description,
        "end_date": clock.isoformat(project.end_date),
        "join_policy": project.join_policy,
        "leave_policy": project.leave_policy,
        "max_members": project.max_members,
        "private": project.private,
        "system_project": project.system_project,
        "resources": {
            capacity.resource: {
                "member_capacity": capacity.member_capacity,
                "project_capacity": capacity.project_capacity,
            }
            for capacity in project.resources
        },
    }
    if project.deactivation_date is not None:
        fields["deactivation_date"] = clock.isoformat(project.deactivation_date)
    return fields
