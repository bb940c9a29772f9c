"""Application credentials of the user who asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.v3.service import base_url, collection, moment
from astakos.api.v3.tokens import MEMBER
from astakos.api.v3.users import check_own
from astakos.logic import application_credentials
from astakos.logic.authentication import Identity
from astakos.models import ApplicationCredential
from synnefo.api import empty_response, json_response, read_object
from synnefo.api.fields import optional_bool, optional_list, optional_str, require_object, require_str
from synnefo.errors import BadRequest, Forbidden


def list_own(request: HttpRequest, user_id: str) -> HttpResponse:
    """List the user's credentials, without their secrets."""
    identity = check_own(request, user_id)
    name = request.GET.get("name") or None
    if name is not None and "\0" in name:
        raise BadRequest("'name' contains a character that no name has")
    rows = application_credentials.list_own(identity, name=name)
    path = f"users/{user_id}/application_credentials"
    return json_response(
        collection("application_credentials", path, [_render(identity, row) for row in rows])
    )


def create(request: HttpRequest, user_id: str) -> HttpResponse:
    """Make a credential and answer its secret, this once."""
    identity = check_own(request, user_id)
    body = require_object(read_object(request), "application_credential")
    if optional_list(body, "access_rules"):
        raise BadRequest("'access_rules' are not offered here; a credential without them reaches one project")
    unrestricted = optional_bool(body, "unrestricted")
    _check_roles(body, identity, unrestricted)
    made = application_credentials.create(
        identity,
        name=require_str(body, "name", min_length=1),
        description=optional_str(body, "description") or "",
        secret=optional_str(body, "secret"),
        expires=_expiry(optional_str(body, "expires_at")),
        unrestricted=unrestricted,
    )
    rendered = {**_render(identity, made.row), "secret": made.secret}
    return json_response({"application_credential": rendered}, status=201)


def _check_roles(body: dict[str, Any], identity: Identity, unrestricted: bool) -> None:
    """Groups come with unrestricted credentials only, and all of them; nobody gives what he has not."""
    available = {MEMBER["name"], MEMBER["id"]}
    if unrestricted:
        available |= {text for role in identity.roles for text in (role.id, role.name)}
    for role in optional_list(body, "roles", max_items=100):
        name = (role.get("name") or role.get("id")) if isinstance(role, dict) else None
        if not isinstance(name, str):
            raise BadRequest("'roles' must be a list of objects with a name or an id")
        if name not in available:
            raise Forbidden(f"The role '{name[:64]}' can't be given to this application credential")


def _expiry(text: str | None) -> dt.datetime | None:
    if not text:
        return None
    try:
        value = dt.datetime.fromisoformat(text)
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise BadRequest("'expires_at' is no time such as 2030-01-31T12:00:00Z") from None


def show(request: HttpRequest, user_id: str, credential_id: str) -> HttpResponse:
    """Show one of the user's credentials."""
    identity = check_own(request, user_id)
    row = application_credentials.show(identity, uuid=credential_id)
    return json_response({"application_credential": _render(identity, row)})


def delete(request: HttpRequest, user_id: str, credential_id: str) -> HttpResponse:
    """Delete one of the user's credentials with all its tokens."""
    application_credentials.delete(check_own(request, user_id), uuid=credential_id)
    return empty_response(204)


def _render(identity: Identity, row: ApplicationCredential) -> dict[str, Any]:
    groups = ({"id": role.id, "name": role.name} for role in identity.roles) if row.unrestricted else ()
    path = f"users/{identity.uuid}/application_credentials/{row.uuid}"
    return {
        "id": row.uuid,
        "name": row.name,
        "description": row.description,
        "project_id": row.project,
        "user_id": identity.uuid,
        "roles": [MEMBER, *groups],
        "expires_at": moment(row.expires) if row.expires else None,
        "unrestricted": row.unrestricted,
        "access_rules": [],
        "links": {"self": f"{base_url()}/{path}"},
    }
