"""Put volumes on a server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volume_attachments
from cyclades.management.arguments import find_server
from cyclades.management.several import for_each
from cyclades.management.volume_view import find_volume
from cyclades.management.waiting import follow
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option


class Command(SynnefoCommand):
    help = "Put available volumes on a server, one after another."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume_ids", nargs="+", metavar="ID", help="Ids, or names of Ganeti disks.")
        parser.add_argument("--server", required=True, metavar="ID", help="The server.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server"])

        def attach(text: str) -> None:
            _, intent = volume_attachments.attach(
                Credentials.administrator(), server_id=server.pk, volume_id=find_volume(text).pk
            )
            follow(self, intent, wait=options["wait"])

        for_each(self, options["volume_ids"], attach, "Some volumes were not attached")
