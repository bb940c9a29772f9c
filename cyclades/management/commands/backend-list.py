"""List Ganeti clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q, QuerySet

from cyclades.logic import backends
from cyclades.models import Backend
from synnefo.management.listing import Field, ListCommand


def _of_total(free: int, total: int) -> str:
    return f"{free}/{total}"


class Command(ListCommand):
    help = "List Ganeti clusters."
    object_class = Backend
    FIELDS = {
        "id": Field("pk", "Id of the backend"),
        "clustername": Field("clustername", "Name of the cluster"),
        "port": Field("port", "Port of its RAPI"),
        "username": Field("username", "RAPI account"),
        "drained": Field("drained", "Gets no new servers"),
        "offline": Field("offline", "Is not contacted at all"),
        "public": Field("public", "Open to all projects"),
        "vms": Field("server_count", "Servers that are not deleted"),
        "hypervisor": Field("hypervisor", "Hypervisor"),
        "disk_templates": Field("disk_templates", "Disk templates it offers"),
        "ips": Field(
            lambda b: _of_total(*backends.public_addresses(b)), "Free and total public IPv4 addresses"
        ),
        "mem": Field(lambda b: _of_total(b.mfree, b.mtotal), "Free and total memory in MiB"),
        "disk": Field(lambda b: _of_total(b.dfree, b.dtotal), "Free and total disk in MiB"),
        "cpus": Field("ctotal", "CPUs of its nodes"),
        "updated": Field("updated", "When its resources were last read"),
    }
    default_fields = (
        "id",
        "clustername",
        "port",
        "username",
        "drained",
        "offline",
        "public",
        "vms",
        "ips",
        "hypervisor",
        "disk_templates",
    )

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Backend]:
        return Backend.objects.annotate(server_count=Count("servers", filter=Q(servers__deleted=False)))
