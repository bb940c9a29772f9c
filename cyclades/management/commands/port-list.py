"""List ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Prefetch, QuerySet

from cyclades.management.arguments import find_server
from cyclades.models import IPAddress, Port
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List ports."
    object_class = Port
    owner_field = "userid"
    prefetch_related = (Prefetch("ips", queryset=IPAddress.objects.filter(deleted=False)),)
    FIELDS = {
        "id": Field("pk", "Id of the port"),
        "name": Field("name", "Name"),
        "user.uuid": Field("userid", "Owner"),
        "mac_address": Field("mac", "MAC address"),
        "server_id": Field("machine_id", "Server it is on"),
        "state": Field("state", "State"),
        "device_owner": Field("device_owner", "Kind of device it is on"),
        "network": Field("network_id", "Its network"),
        "created": Field("created", "When it was created"),
        "updated": Field("updated", "When it last changed"),
        "fixed_ips": Field(lambda port: [ip.address for ip in port.ips.all()], "Its addresses"),
    }
    default_fields = ("id", "name", "user.uuid", "mac_address", "network", "server_id", "fixed_ips", "state")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--public", action="store_true", help="Ports of public networks only.")
        parser.add_argument("--server", metavar="ID", help="Only those of this server.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Port]:
        ports = Port.objects.filter(network__public=True) if options["public"] else Port.objects.all()
        return ports.filter(machine=find_server(options["server"])) if options["server"] else ports
