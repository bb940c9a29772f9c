"""The same as a page, for the command line: what its reader could type instead (web contract 6.3).

Nothing holds the token; what people wrote is quoted for the shell.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from astakos.logic.project_queries import ProjectDetails
from synnefo.units import INF

Commands = list[tuple[str, str]]
_OPTIONS = {
    "name": "--name",
    "homepage": "--homepage",
    "description": "--description",
    "start_date": "--start-date",
    "end_date": "--end-date",
    "join_policy": "--join-policy",
    "leave_policy": "--leave-policy",
}


def _curl(path: str, method: str = "", body: object = None) -> str:
    parts = ["curl", "-H", '"X-Auth-Token: $TOKEN"']
    if method:
        parts += ["-X", method]
    if body is not None:
        parts += ["-H", "'Content-Type: application/json'"]
        parts += ["-d", shlex.quote(json.dumps(body, ensure_ascii=False))]
    parts.append(shlex.quote(f"{settings.ASTAKOS_BASE_URL.rstrip('/')}/account/v1.0/{path}"))
    return " ".join(parts)


def of_list() -> Commands:
    """Return how to list one's projects."""
    return [("kamaki", "kamaki project list"), ("curl", _curl("projects"))]


def of_usage() -> Commands:
    """Return how to read one's quota."""
    return [("kamaki", "kamaki quota list"), ("curl", _curl("quotas"))]


def of_project(uuid: str) -> Commands:
    """Return how to read a project, and to join it."""
    return [
        ("kamaki", f"kamaki project info {uuid}\nkamaki project join {uuid}"),
        ("curl", f"{_curl(f'projects/{uuid}')}\n{_curl('projects/memberships', 'POST', _join(uuid))}"),
    ]


def _join(uuid: str) -> dict[str, Any]:
    return {"join": {"project": uuid}}


def of_members(uuid: str) -> Commands:
    """Return how to list the members of a project, and to add one."""
    path = "projects/memberships"
    enroll = {"enroll": {"project": uuid, "user": "mary@example.org"}}
    return [
        (
            "kamaki",
            f"kamaki membership list --project-id {uuid}\n"
            f"kamaki project enroll {uuid} --email mary@example.org",
        ),
        ("curl", f"{_curl(f'{path}?project={uuid}')}\n{_curl(path, 'POST', enroll)}"),
    ]


def of_application(body: Mapping[str, Any], project: ProjectDetails | None) -> Commands:
    """Return how to send the application *body*, for a new project or a change of *project*."""
    kamaki = ["kamaki", "project", *(("modify", project.uuid) if project else ("create",))]
    for name, option in _OPTIONS.items():
        if body.get(name):
            kamaki += [option, shlex.quote(str(body[name]))]
    if body.get("max_members", INF) < INF:
        kamaki += ["--max-members", str(body["max_members"])]
    if body.get("private"):
        kamaki += ["--private"] if project else ["--private", "true"]
    for resource, grant in body.get("resources", {}).items():
        value = f"{resource}={grant['member_capacity']},{grant['project_capacity']}"
        kamaki += ["--resource", shlex.quote(value)]
    path, method = (f"projects/{project.uuid}", "PUT") if project else ("projects", "POST")
    return [("kamaki", " ".join(kamaki)), ("curl", _curl(path, method, dict(body)))]
