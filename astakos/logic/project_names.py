"""Projects as OpenStack clients list them: id, name and description of those a user is in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from astakos.models import Project
from synnefo.errors import NotFound


@dataclass(frozen=True, slots=True)
class NamedProject:
    """An active project of a user; ``is_system`` for the one that every user has of his own."""

    uuid: str
    name: str
    description: str
    is_system: bool


def project_name(*, uuid: str) -> str:
    """Return the name of a project, empty if there is none."""
    return Project.objects.filter(uuid=uuid).values_list("realname", flat=True).first() or ""


def named_projects(*, uuids: Collection[str], name: str | None = None) -> list[NamedProject]:
    """Return the projects of *uuids*, only those of this *name* if given, in order of creation."""
    rows = Project.objects.filter(uuid__in=uuids).order_by("id")
    if name is not None:
        rows = rows.filter(realname=name)
    return [
        NamedProject(uuid, realname, description, is_base)
        for uuid, realname, description, is_base in rows.values_list(
            "uuid", "realname", "description", "is_base"
        )
    ]


def named_project(*, uuids: Collection[str], uuid: str) -> NamedProject:
    """Return the project of this *uuid* if it is one of *uuids*; raises ``NotFound``."""
    found = named_projects(uuids=[uuid]) if uuid in uuids else []
    if not found:
        raise NotFound(f"Could not find project: {uuid[:64]}.")
    return found[0]
