"""Show a floating IP."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.network_arguments import find_floating_ip
from synnefo import users
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a floating IP."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ip_id", metavar="ID", help="Id of the floating IP.")
        parser.add_argument("--display-mails", "--displayname", action="store_true", dest="display_mails",
                            help="Show the owner's e-mail address.")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        ip = find_floating_ip(options["ip_id"])
        mails = users.emails_of([ip.userid]) if options["display_mails"] and ip.userid else {}
        self.print_show(
            {
                "id": ip.pk,
                "address": ip.address,
                "network": ip.network_id,
                "port": ip.nic_id,
                "server": ip.nic.machine_id if ip.nic else None,
                "userid": ip.userid,
                "username": mails.get(ip.userid or "", "-"),
                "project": ip.project,
                "shared_to_project": ip.shared_to_project,
                "deleted": ip.deleted,
                "created": ip.created,
                "updated": ip.updated,
            }
        )
