"""List rescue images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet

from cyclades.models import RescueImage, Task
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List rescue images, which damaged servers can be booted from."
    object_class = RescueImage
    deleted_field = "deleted"
    FIELDS = {
        "id": Field("pk", "Id of the image"),
        "name": Field("name", "Name"),
        "location_type": Field("location_type", "Kind of location: file or http"),
        "location": Field("location", "File below RESCUE_IMAGE_PATH, or URL"),
        "os_family": Field("os_family", "Family of the system on it"),
        "os": Field("os", "System on it"),
        "target_os_family": Field("target_os_family", "Family of systems it is for"),
        "target_os": Field("target_os", "System it is for"),
        "deleted": Field("deleted", "Is out of use"),
        "is_default": Field("is_default", "Is for servers that no other image suits"),
        "vms_using_image": Field("servers_using", "Servers that boot it or were last told to"),
    }
    default_fields = tuple(FIELDS)

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[RescueImage]:
        using = Q(servers__deleted=False) & (Q(servers__rescue=True) | Q(servers__action=Task.RESCUE))
        return RescueImage.objects.annotate(servers_using=Count("servers", filter=using))
