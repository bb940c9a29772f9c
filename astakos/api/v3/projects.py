"""Projects and domains, as far as the user who asks is in them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from astakos.api.service import identity_of
from astakos.api.v3.service import DOMAIN, base_url, collection
from astakos.logic.project_names import NamedProject, named_project, named_projects
from synnefo.api import json_response
from synnefo.errors import Forbidden, NotFound

_DOMAIN_ID = DOMAIN["id"]


def _render(project: NamedProject) -> dict[str, Any]:
    return {
        "id": project.uuid,
        "name": project.name,
        "description": project.description,
        "domain_id": _DOMAIN_ID,
        "parent_id": _DOMAIN_ID,
        "enabled": True,
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": {"self": f"{base_url()}/projects/{project.uuid}"},
    }


def list_own(request: HttpRequest) -> HttpResponse:
    """List the user's active projects; the whole list is the administrators' and asked for elsewhere."""
    return _listed(request, "projects")


def list_scopes(request: HttpRequest) -> HttpResponse:
    """List the projects that a token may be scoped to."""
    return _listed(request, "auth/projects")


def list_of_user(request: HttpRequest, user_id: str) -> HttpResponse:
    """List the projects of a user, which only he may ask for."""
    if user_id != identity_of(request).uuid:
        raise Forbidden("You are not authorized to list the projects of another user")
    return _listed(request, f"users/{user_id}/projects")


def _listed(request: HttpRequest, path: str) -> HttpResponse:
    name = request.GET.get("name") or None
    disabled = request.GET.get("enabled", "true").lower() in ("false", "0")
    foreign = request.GET.get("domain_id", _DOMAIN_ID) != _DOMAIN_ID
    wanted = () if disabled or foreign else identity_of(request).projects
    projects = named_projects(uuids=wanted, name=_storable(name))
    return json_response(collection("projects", path, [_render(project) for project in projects]))


def _storable(text: str | None) -> str | None:
    """No name has a NUL character, and databases do not take one."""
    return None if text is None else text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def show(request: HttpRequest, project_id: str) -> HttpResponse:
    """Show one of the user's projects; others do not exist for him."""
    project = named_project(uuids=identity_of(request).projects, uuid=project_id)
    return json_response({"project": _render(project)})


def _domain() -> dict[str, Any]:
    links = {"self": f"{base_url()}/domains/{_DOMAIN_ID}"}
    return {**DOMAIN, "description": "", "enabled": True, "tags": [], "options": {}, "links": links}


def list_domains(request: HttpRequest) -> HttpResponse:
    """List the domains: there is one."""
    wanted = request.GET.get("name", DOMAIN["name"]).lower()
    found = [_domain()] if wanted == DOMAIN["name"].lower() else []
    return json_response(collection("domains", "domains", found))


def show_domain(request: HttpRequest, domain_id: str) -> HttpResponse:
    """Show the one domain."""
    if domain_id != _DOMAIN_ID:
        raise NotFound(f"Could not find domain: {domain_id[:64]}.")
    return json_response({"domain": _domain()})
