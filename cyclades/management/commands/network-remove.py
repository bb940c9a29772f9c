"""Delete networks."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import networks
from cyclades.management.network_arguments import find_network, remove_each
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = "Delete networks without ports and floating IPs, public ones too."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("network_ids", nargs="+", metavar="ID", help="Ids, or Ganeti networks.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "networks", options["network_ids"])
        remove_each(self, options["network_ids"], self._remove)

    def _remove(self, text: str) -> None:
        network = find_network(text)
        networks.delete(Credentials.administrator(), network_id=network.pk)
        self.say(f"Network {network.pk} is being deleted.")
