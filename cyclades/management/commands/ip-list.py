"""List who had public addresses, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Exists, OuterRef, QuerySet

from cyclades.ganeti import names
from cyclades.management.arguments import number
from cyclades.models import IPAddress, IPAddressHistory
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List who had public addresses, and when."
    object_class = IPAddressHistory
    owner_field = "user_id"
    order_by = ("action_date", "pk")
    FIELDS = {
        "id": Field("pk", "Id of the event"),
        "address": Field("address", "Address"),
        "user.uuid": Field("user_id", "Owner of the server at that time"),
        "server": Field("server_id", "Server"),
        "network": Field("network_id", "Network"),
        "action": Field("action", "associate or disassociate"),
        "date": Field("action_date", "When it happened"),
        "reason": Field("action_reason", "Why"),
    }
    default_fields = ("address", "user.uuid", "server", "network", "action", "date", "reason")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--address", metavar="IP", help="Only this address.")
        parser.add_argument("--server", metavar="ID", help="Only this server, which may be gone.")
        parser.add_argument("--active", action="store_true", help="Only addresses that are on a server now.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[IPAddressHistory]:
        events = IPAddressHistory.objects.all()
        if options["address"]:
            events = events.filter(address=options["address"])
        if options["server"]:
            server_id = names.server_id_of(options["server"]) or number(options["server"], "Server")
            events = events.filter(server_id=server_id)
        if options["active"]:
            now = IPAddress.objects.filter(
                address=OuterRef("address"), nic__machine_id=OuterRef("server_id"), deleted=False
            )
            events = events.filter(Exists(now))
        return events
