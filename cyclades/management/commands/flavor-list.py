"""List flavors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet

from cyclades.management.arguments import spec_texts
from cyclades.models import Flavor
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List flavors."
    object_class = Flavor
    deleted_field = "deleted"
    select_related = ("volume_type",)
    prefetch_related = ("specs",)
    FIELDS = {
        "id": Field("pk", "Id of the flavor"),
        "name": Field("name", "Name that users see"),
        "cpu": Field("cpu", "Number of CPUs"),
        "ram": Field("ram", "Memory in MiB"),
        "disk": Field("disk", "System disk in GiB"),
        "template": Field("volume_type.disk_template", "Ganeti's disk template"),
        "volume_type": Field("volume_type_id", "Id of the volume type"),
        "allow_create": Field("allow_create", "New servers may have it"),
        "public": Field("public", "Open to all projects"),
        "vms": Field("server_count", "Servers that are not deleted"),
        "specs": Field(lambda f: spec_texts([(s.key, s.value) for s in f.specs.all()]), "Parameters"),
        "deleted": Field("deleted", "Is deleted"),
    }
    default_fields = (
        "id",
        "name",
        "cpu",
        "ram",
        "disk",
        "template",
        "volume_type",
        "allow_create",
        "public",
        "vms",
        "specs",
    )

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Flavor]:
        return Flavor.objects.annotate(server_count=Count("servers", filter=Q(servers__deleted=False)))
