"""What commands show of a server (administrator's contract 4.4)."""

from __future__ import annotations

from typing import Any

from cyclades.logic.server_state import api_status, task_state
from cyclades.models import Server
from synnefo import users


def shown_state(server: Server) -> str:
    """Return the status, with its progress while building."""
    status = api_status(server)
    return f"BUILD({server.buildpercentage}%)" if status == "BUILD" else status


def summary(server: Server) -> dict[str, Any]:
    """Return the fields of server-show."""
    return {
        "id": server.pk,
        "name": server.name,
        "owner_uuid": server.userid,
        "owner_name": users.emails_of([server.userid]).get(server.userid),
        "project": server.project,
        "shared_to_project": server.shared_to_project,
        "created": server.created,
        "updated": server.updated,
        "image": server.imageid,
        "host id": "",
        "flavor": server.flavor.name,
        "backend": server.backend_id,
        "deleted": server.deleted,
        "suspended": server.suspended,
        "state": shown_state(server),
        "task": task_state(server) or None,
        "task_job_id": server.task_job_id,
        "rescue": server.rescue,
        "rescue_image": server.rescue_image if server.rescue else None,
    }


def tag_rows(server: Server) -> list[tuple[str, str, str]]:
    """Return tag, status and namespace of each tag."""
    rows = []
    for tag in server.tags.order_by("pk"):
        _, namespace, name = tag.tag.split(":", 2)
        rows.append((name, tag.status, namespace))
    return rows
