"""Users: everybody may see himself."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.service import identity_of
from astakos.api.v3.service import DOMAIN, base_url, collection
from astakos.logic.authentication import Identity
from synnefo.api import json_response
from synnefo.errors import Forbidden


def _render(identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.uuid,
        "name": identity.username,
        "email": identity.email,
        "description": identity.name,
        "domain_id": DOMAIN["id"],
        "default_project_id": identity.default_project,
        "enabled": True,
        "password_expires_at": None,
        "options": {},
        "links": {"self": f"{base_url()}/users/{identity.uuid}"},
    }


def list_own(request: HttpRequest) -> HttpResponse:
    """List the users the caller may see: himself."""
    identity = identity_of(request)
    wanted = request.GET.get("name", identity.username).lower()
    found = [_render(identity)] if wanted in (identity.username, identity.uuid) else []
    return json_response(collection("users", "users", found))


def show(request: HttpRequest, user_id: str) -> HttpResponse:
    """Show the caller to himself."""
    check_own(request, user_id)
    return json_response({"user": _render(identity_of(request))})


def check_own(request: HttpRequest, user_id: str) -> Identity:
    """Return the caller if *user_id* is his; raises ``Forbidden`` alike for others and for nobody's."""
    identity = identity_of(request)
    if user_id != identity.uuid:
        raise Forbidden("You are not authorized to look at another user")
    return identity
