"""Release floating IPs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import floating_ips
from cyclades.management.network_arguments import find_floating_ip, remove_each
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = "Release floating IPs that are on no port, with their quota."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("ip_ids", nargs="+", metavar="ID", help="Ids of floating IPs.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "floating IPs", options["ip_ids"])
        remove_each(self, options["ip_ids"], self._remove)

    def _remove(self, text: str) -> None:
        ip = find_floating_ip(text)
        floating_ips.delete(Credentials.administrator(), ip_id=ip.pk)
        self.say(f"Floating IP {ip.address} was released.")
