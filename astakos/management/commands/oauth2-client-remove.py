"""Remove an OAuth2 client."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import oauth2_clients
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = "Remove an OAuth2 client with its codes and tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("client", metavar="ID|IDENTIFIER")

    def handle(self, *args: Any, **options: Any) -> None:
        client = oauth2_clients.find(options["client"])
        self.confirm_deletion(options["force"], "OAuth2 client", [client.identifier])
        oauth2_clients.remove(Credentials.administrator(), client_id=client.pk)
        self.say(f"OAuth2 client {client.identifier} removed")
