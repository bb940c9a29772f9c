"""List who had public addresses, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, When

from cyclades.ganeti import names
from cyclades.logic.addresses import ASSOCIATE, DISASSOCIATE
from cyclades.management.arguments import number
from cyclades.models import IPAddress, IPAddressHistory
from synnefo.management.listing import Field, ListCommand


def _with_uses(events: QuerySet[IPAddressHistory]) -> QuerySet[IPAddressHistory]:
    """Add to each event when the use of the address that it begins or ends began and ended."""
    same = IPAddressHistory.objects.filter(address=OuterRef("address"), server_id=OuterRef("server_id"))
    same = same.filter(network_id=OuterRef("network_id"))
    later = Q(action_date__gt=OuterRef("action_date")) | Q(
        action_date=OuterRef("action_date"), pk__gt=OuterRef("pk")
    )
    earlier = Q(action_date__lt=OuterRef("action_date")) | Q(
        action_date=OuterRef("action_date"), pk__lt=OuterRef("pk")
    )
    began = same.filter(earlier, action=ASSOCIATE).order_by("-action_date", "-pk").values("action_date")[:1]
    ended = same.filter(later, action=DISASSOCIATE).order_by("action_date", "pk").values("action_date")[:1]
    return events.annotate(
        allocated_at=Case(When(action=ASSOCIATE, then="action_date"), default=Subquery(began)),
        released_at=Case(When(action=ASSOCIATE, then=Subquery(ended)), default="action_date"),
    )


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
        "allocated_at": Field("allocated_at", "When this use of the address began"),
        "released_at": Field("released_at", "When this use ended; empty while it lasts"),
        "active": Field(lambda event: event.released_at is None, "The use goes on"),
    }
    default_fields = ("address", "user.uuid", "server", "network", "action", "date", "reason")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--address", metavar="IP", help="Only this address.")
        parser.add_argument("--server", metavar="ID", help="Only this server, which may be gone.")
        parser.add_argument("--active", action="store_true", help="Only addresses that are on a server now.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[IPAddressHistory]:
        events = _with_uses(IPAddressHistory.objects.all())
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
