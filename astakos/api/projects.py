"""Projects and applications for them (identity contract 3.4, 3.5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.service import identity_of
from astakos.logic import applications, project_actions, project_queries
from astakos.logic.project_queries import ApplicationDetails, ProjectDetails
from synnefo import clock
from synnefo.api import empty_response, json_response, read_object
from synnefo.errors import BadRequest


def list_projects(request: HttpRequest) -> HttpResponse:
    """List the projects the caller asks for."""
    identity = identity_of(request)
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
    identity = identity_of(request)
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
    if project.last_application is not None:
        fields["last_application"] = _application(project.last_application)
    if project.deactivation_date is not None:
        fields["deactivation_date"] = clock.isoformat(project.deactivation_date)
    return fields


def _application(application: ApplicationDetails) -> dict[str, Any]:
    def date(value: dt.datetime | None) -> str | None:
        return None if value is None else clock.isoformat(value)

    return {
        "id": application.id,
        "state": application.state,
        "name": application.name,
        "owner": application.owner,
        "applicant": application.applicant,
        "homepage": application.homepage,
        "description": application.description,
        "start_date": date(application.start_date),
        "end_date": date(application.end_date),
        "comments": application.comments,
        "join_policy": application.join_policy,
        "leave_policy": application.leave_policy,
        "max_members": application.max_members,
        "private": application.private,
        "resources": {
            row.resource: {"member_capacity": row.member_capacity, "project_capacity": row.project_capacity}
            for row in application.resources
        },
    }


def create_project(request: HttpRequest) -> HttpResponse:
    """Apply for a new project."""
    identity = identity_of(request)
    submitted = applications.submit_new(identity.credentials(), body=read_object(request))
    return json_response({"id": submitted.project, "application": submitted.application}, status=201)


def modify_project(request: HttpRequest, uuid: str) -> HttpResponse:
    """Apply for a change of a project."""
    identity = identity_of(request)
    submitted = applications.submit_modification(
        identity.credentials(), project=uuid, body=read_object(request)
    )
    return json_response({"id": submitted.project, "application": submitted.application}, status=201)


_ANSWERS = {
    "approve": applications.approve,
    "deny": applications.deny,
    "cancel": applications.cancel,
    "dismiss": applications.dismiss,
}


def act(request: HttpRequest, uuid: str) -> HttpResponse:
    """Change a project's state, or answer its application."""
    identity = identity_of(request)
    action, details = one_action(read_object(request), (*project_actions.ACTIONS, *_ANSWERS))
    if not isinstance(details, dict):
        raise BadRequest(f"'{action}' must be an object")
    # kamaki sends the reason of answers under the plural.
    reason = details.get("reason") or details.get("reasons") or ""
    if not isinstance(reason, str):
        raise BadRequest("'reason' must be a string")
    if action in _ANSWERS:
        number = _application_id(details.get("app_id"))
        _ANSWERS[action](identity.credentials(), application_id=number, project=uuid, reason=reason)
    else:
        project_actions.ACTIONS[action](identity.credentials(), project=uuid, reason=reason)
    return empty_response(200)


def one_action(body: dict[str, Any], known: Collection[str]) -> tuple[str, Any]:
    """Return the single known action of a body with its value; raises ``BadRequest`` for none or several."""
    found = [name for name in body if name in known]
    if len(found) != 1:
        raise BadRequest(f"Name exactly one action of {', '.join(known)}")
    return found[0], body[found[0]]


def _application_id(value: object) -> int:
    """Return the application's id; kamaki sends it as a string."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("'app_id' must be the number of an application")
    return int(text)
