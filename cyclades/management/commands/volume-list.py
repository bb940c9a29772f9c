"""List volumes."""

from __future__ import annotations

from cyclades.models import Volume
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List volumes."
    object_class = Volume
    owner_field = "userid"
    project_field = "project"
    deleted_field = "deleted"
    select_related = ("volume_type",)
    FIELDS = {
        "id": Field("pk", "Id of the volume"),
        "name": Field("name", "Name"),
        "user.uuid": Field("userid", "Owner"),
        "project": Field("project", "Project it is charged to"),
        "size": Field("size", "Size in GiB"),
        "server_id": Field("machine_id", "Server it is on"),
        "source": Field("source", "What it was made from"),
        "status": Field("status", "Status"),
        "created": Field("created", "When it was created"),
        "deleted": Field("deleted", "Is deleted"),
        "volume_type": Field("volume_type_id", "Id of its type"),
        "disk_template": Field("volume_type.disk_template", "Ganeti's disk template"),
    }
    default_fields = (
        "id",
        "user.uuid",
        "size",
        "status",
        "source",
        "disk_template",
        "volume_type",
        "server_id",
    )
