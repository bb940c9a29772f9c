"""List volume types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet

from cyclades.management.arguments import spec_texts
from cyclades.models import VolumeType
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List volume types."
    object_class = VolumeType
    deleted_field = "deleted"
    prefetch_related = ("specs",)
    FIELDS = {
        "id": Field("pk", "Id of the volume type"),
        "name": Field("name", "Name"),
        "disk_template": Field("disk_template", "Ganeti's disk template"),
        "flavors": Field("flavor_count", "Flavors that are not deleted"),
        "volumes": Field("volume_count", "Volumes that are not deleted"),
        "deleted": Field("deleted", "Is deleted"),
        "specs": Field(lambda t: spec_texts([(s.key, s.value) for s in t.specs.all()]), "Parameters"),
    }
    default_fields = ("id", "name", "disk_template", "flavors", "volumes", "deleted", "specs")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[VolumeType]:
        return VolumeType.objects.annotate(
            flavor_count=Count("flavors", filter=Q(flavors__deleted=False), distinct=True),
            volume_count=Count("volumes", filter=Q(volumes__deleted=False), distinct=True),
        )
