"""Memberships of projects (identity contract 3.6)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.projects import one_action
from astakos.api.service import identity_of
from astakos.logic import memberships
from astakos.logic.memberships import MembershipDetails
from synnefo import clock
from synnefo.api import empty_response, json_response, read_object
from synnefo.errors import BadRequest


def list_memberships(request: HttpRequest) -> HttpResponse:
    """List the caller's memberships and those of his projects."""
    identity = identity_of(request)
    project = request.GET.get("project") or None
    if project is not None and "\0" in project:
        raise BadRequest("'project' contains characters that cannot be looked for")
    found = memberships.list_memberships(identity.credentials(), project=project)
    return json_response([_membership(row) for row in found])


def show_membership(request: HttpRequest, membership_id: str) -> HttpResponse:
    """Show one membership."""
    identity = identity_of(request)
    row = memberships.show_membership(identity.credentials(), membership_id=int(membership_id))
    return json_response(_membership(row))


def create_membership(request: HttpRequest) -> HttpResponse:
    """Join a project, or enroll somebody."""
    identity = identity_of(request)
    action, details = one_action(read_object(request), ("join", "enroll"))
    project = _text(details, "project", action)
    if action == "join":
        membership = memberships.join(identity.credentials(), project=project)
    else:
        email = _text(details, "user", action)
        membership = memberships.enroll(identity.credentials(), project=project, email=email)
    return json_response({"id": membership})


def _text(details: object, name: str, action: str) -> str:
    value = details.get(name) if isinstance(details, dict) else None
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise BadRequest(f"'{action}' needs '{name}', a string")
    return value


def act(request: HttpRequest, membership_id: str) -> HttpResponse:
    """Accept, reject, cancel, leave or remove a membership; the action's value is the reason."""
    identity = identity_of(request)
    action, reason = one_action(read_object(request), memberships.ACTIONS)
    if not isinstance(reason, str | None) or (reason and ("\0" in reason or len(reason) > 4096)):
        raise BadRequest(f"'{action}' must be a string: the reason, of at most 4096 characters")
    memberships.act(
        identity.credentials(), membership_id=int(membership_id), action=action, reason=reason or ""
    )
    return empty_response(200)


def _membership(row: MembershipDetails) -> dict[str, Any]:
    return {
        "id": row.id,
        "user": row.user,
        "project": row.project,
        "state": row.state,
        "allowed_actions": list(row.allowed_actions),
        **{state: clock.isoformat(date) for state, date in row.reached.items()},
    }
