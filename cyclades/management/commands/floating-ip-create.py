"""Reserve a floating IP for a user."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import floating_ips
from cyclades.logic.cidrs import parse_address
from cyclades.management.network_arguments import find_network
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Reserve a floating IP for a user, whose quota is charged."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--user", "--owner", dest="user", required=True, metavar="UUID|EMAIL", help="Owner.")
        add("--network", metavar="ID", help="Floating IP pool; any by default.")
        add("--address", metavar="IP", help="Address; the lowest free one by default.")
        add("--project", metavar="UUID", help="Project to charge; the owner's own by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        address = options["address"]
        ip = floating_ips.create(
            Credentials.administrator(),
            network_id=find_network(options["network"]).pk if options["network"] else None,
            address=parse_address(address, "address", ipversion=4) if address else None,
            project=options["project"],
            user_id=users.uuid_of(options["user"]),
        )
        self.print_show({"id": ip.pk, "address": ip.address, "network": ip.network_id})
