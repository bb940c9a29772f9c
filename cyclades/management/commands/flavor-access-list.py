"""List which projects may use private flavors."""

from __future__ import annotations

from cyclades.models import FlavorAccess
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List which projects may use private flavors."
    object_class = FlavorAccess
    project_field = "project"
    FIELDS = {
        "id": Field("pk", "Id of the permission"),
        "flavor": Field("flavor_id", "Id of the flavor"),
        "project": Field("project", "Uuid of the project"),
    }
    default_fields = ("id", "flavor", "project")
