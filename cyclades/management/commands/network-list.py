"""List networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Count, Q, QuerySet

from cyclades.models import Network, Subnet
from synnefo.management.listing import Field, ListCommand


def _subnet(version: int, attribute: str) -> Field:
    def of(network: Network) -> Any:
        found: Subnet | None = next((s for s in network.subnets.all() if s.ipversion == version), None)
        return getattr(found, attribute, None)

    return Field(of, f"IPv{version} {attribute}")


class Command(ListCommand):
    help = "List networks."
    object_class = Network
    owner_field = "userid"
    project_field = "project"
    deleted_field = "deleted"
    prefetch_related = ("subnets",)
    FIELDS = {
        "id": Field("pk", "Id of the network"),
        "name": Field("name", "Name"),
        "user.uuid": Field("userid", "Owner"),
        "public": Field("public", "Is public"),
        "flavor": Field("flavor", "How its NICs are wired"),
        "state": Field("state", "State"),
        "subnets": Field(lambda n: [subnet.pk for subnet in n.subnets.all()], "Ids of its subnets"),
        "subnet.ipv4": _subnet(4, "cidr"),
        "gateway.ipv4": _subnet(4, "gateway"),
        "subnet.ipv6": _subnet(6, "cidr"),
        "gateway.ipv6": _subnet(6, "gateway"),
        "created": Field("created", "When it was created"),
        "updated": Field("updated", "When it last changed"),
        "deleted": Field("deleted", "Is deleted"),
        "mode": Field("mode", "Mode of its NICs"),
        "link": Field("link", "Bridge or routing table"),
        "mac_prefix": Field("mac_prefix", "MAC prefix"),
        "drained": Field("drained", "Gives out no addresses"),
        "vms": Field("server_count", "Servers that are connected"),
        "backends": Field(
            lambda n: [row.backend_id for row in n.backend_networks.all() if not row.deleted],
            "Backends it exists on",
        ),
        "floating_ip_pool": Field("floating_ip_pool", "Users may reserve floating IPs of it"),
        "project": Field("project", "Project it is charged to"),
    }
    default_fields = (
        "id",
        "name",
        "user.uuid",
        "state",
        "public",
        "subnet.ipv4",
        "gateway.ipv4",
        "link",
        "mac_prefix",
        "drained",
        "floating_ip_pool",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--public", action="store_true", help="Public networks only.")
        parser.add_argument("--ipv6", action="store_true", help="Show the IPv6 subnets, too.")

    def handle(self, *args: Any, **options: Any) -> None:
        self._ipv6 = options["ipv6"]
        super().handle(*args, **options)

    def chosen_columns(self, output: str | None) -> list[str]:
        columns = super().chosen_columns(output)
        extra = [name for name in ("subnet.ipv6", "gateway.ipv6") if name not in columns]
        return [*columns, *extra] if self._ipv6 else columns

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Network]:
        servers = Count("ports__machine", filter=Q(ports__machine__deleted=False), distinct=True)
        networks = Network.objects.annotate(server_count=servers).prefetch_related("backend_networks")
        return networks.filter(public=True) if options["public"] else networks
