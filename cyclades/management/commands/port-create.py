"""Create a port."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import owners, ports
from cyclades.management.arguments import find_server, number, words
from cyclades.management.network_arguments import find_floating_ip, find_network
from cyclades.management.waiting import follow
from cyclades.models import JobIntent
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option


class Command(SynnefoCommand):
    help = "Create a port, unattached or on a server; public networks need no floating IP."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--network", required=True, metavar="ID", help="Network.")
        add("--name", default="", help="Name of the port.")
        add("--user", "--owner", dest="user", metavar="UUID|EMAIL", help="Owner; the server's by default.")
        add("--server", metavar="ID", help="Server to connect.")
        add("--floating-ip", metavar="ID", help="Floating IP to put on it.")
        add("--ipv4-address", metavar="IP", help="Address; the lowest free one by default.")
        add("--security-groups", metavar="ID,ID", help="Security groups; there are none.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server"]) if options["server"] else None
        owner = users.uuid_of(options["user"]) if options["user"] else (server.userid if server else None)
        if not owner:
            raise CommandError("Without --server, --user is needed")
        owners.require_user(owner)
        address = options["ipv4_address"]
        if options["floating_ip"]:
            address = find_floating_ip(options["floating_ip"], kept=True).address
        request = ports.PortRequest(
            network_id=find_network(options["network"]).pk,
            device_id=server.pk if server else None,
            address=address,
            name=options["name"],
            security_groups=[number(word, "Security group") for word in words(options["security_groups"])],
        )
        credentials = Credentials(user_id=owner, is_admin=True)
        port = ports.create(credentials, request=request)
        self.print_show({"id": port.pk, "network": port.network_id, "server": port.machine_id})
        if server is not None:
            follow(self, JobIntent.objects.filter(server=server).last(), wait=options["wait"])
