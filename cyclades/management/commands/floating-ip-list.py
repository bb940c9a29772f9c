"""List floating IPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from cyclades.models import IPAddress
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List floating IPs."
    object_class = IPAddress
    owner_field = "userid"
    project_field = "project"
    deleted_field = "deleted"
    select_related = ("nic",)
    FIELDS = {
        "id": Field("pk", "Id of the floating IP"),
        "user.uuid": Field("userid", "Owner"),
        "address": Field("address", "Address"),
        "network": Field("network_id", "Its network"),
        "port": Field("nic_id", "Port it is on"),
        "server": Field("nic.machine_id", "Server it is on"),
        "created": Field("created", "When it was reserved"),
        "deleted": Field("deleted", "Was released"),
        "project": Field("project", "Project it is charged to"),
    }
    default_fields = ("id", "address", "network", "server", "port", "user.uuid", "created")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[IPAddress]:
        return IPAddress.objects.filter(floating_ip=True)
