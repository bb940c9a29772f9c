"""List which projects have backends of their own."""

from __future__ import annotations

from cyclades.models import ProjectBackend
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List the backends reserved for projects."
    object_class = ProjectBackend
    project_field = "project"
    select_related = ("backend",)
    FIELDS = {
        "id": Field("pk", "Id of the mapping"),
        "project": Field("project", "UUID of the project"),
        "backend": Field("backend", "The backend"),
    }
    default_fields = ("id", "project", "backend")
