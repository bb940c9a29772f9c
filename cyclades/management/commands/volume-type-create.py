"""Create a volume type."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volume_types
from cyclades.management.arguments import specs
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Create a volume type: a Ganeti disk template under a name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="Name of the volume type.")
        parser.add_argument(
            "--disk-template", required=True, help="Ganeti's disk template, for ext with its provider."
        )
        parser.add_argument(
            "--specs", metavar="K=V,...", help="Parameters; GNT-EXTP:<key> goes to the ext provider."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        volume_type = volume_types.create_volume_type(
            Credentials.administrator(),
            name=options["name"],
            disk_template=options["disk_template"],
            specs=specs(options["specs"]),
        )
        self.print_show(
            {
                "id": volume_type.pk,
                "name": volume_type.name,
                "disk template": volume_type.disk_template,
            }
        )
