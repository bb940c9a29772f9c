"""Put a floating IP on a server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import floating_ips
from cyclades.management.arguments import find_server
from cyclades.management.network_arguments import find_floating_ip
from cyclades.management.waiting import follow
from cyclades.models import JobIntent
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option


class Command(SynnefoCommand):
    help = "Put a free floating IP on a server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ip_id", metavar="ID", help="Id of the floating IP.")
        parser.add_argument(
            "--machine", "--server", dest="machine", required=True, metavar="ID", help="Server."
        )
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        ip, server = find_floating_ip(options["ip_id"], kept=True), find_server(options["machine"])
        credentials = Credentials(user_id=server.userid, is_admin=True)
        floating_ips.attach_to(credentials, server_id=server.pk, ip=ip)
        follow(self, JobIntent.objects.filter(server=server).last(), wait=options["wait"])
