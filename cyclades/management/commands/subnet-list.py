"""List subnets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from cyclades.models import Subnet
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List subnets."
    object_class = Subnet
    owner_field = "userid"
    deleted_field = "deleted"
    FIELDS = {
        "id": Field("pk", "Id of the subnet"),
        "network": Field("network_id", "Its network"),
        "name": Field("name", "Name"),
        "user.uuid": Field("userid", "Owner"),
        "cidr": Field("cidr", "Range of addresses"),
        "ipversion": Field("ipversion", "IP version"),
        "gateway": Field("gateway", "Gateway"),
        "dhcp": Field("dhcp", "Servers are configured with DHCP or SLAAC"),
        "public": Field("public", "Is of a public network"),
        "deleted": Field("deleted", "Is deleted"),
    }
    default_fields = ("id", "network", "name", "user.uuid", "cidr", "ipversion", "gateway", "dhcp", "public")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        versions = parser.add_mutually_exclusive_group()
        versions.add_argument("--ipv4", action="store_true", help="IPv4 subnets only.")
        versions.add_argument("--ipv6", action="store_true", help="IPv6 subnets only.")
        parser.add_argument("--dhcp", action="store_true", help="Only those with DHCP or SLAAC.")
        parser.add_argument("--public", action="store_true", help="Only those of public networks.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Subnet]:
        wanted: dict[str, Any] = {name: True for name in ("dhcp", "public") if options[name]}
        if options["ipv4"] or options["ipv6"]:
            wanted["ipversion"] = 4 if options["ipv4"] else 6
        return Subnet.objects.filter(**wanted)
