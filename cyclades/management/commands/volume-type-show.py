"""Show a volume type."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.arguments import find_volume_type, spec_texts
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a volume type."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume_type_id", metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        volume_type = find_volume_type(options["volume_type_id"])
        self.print_show(
            {
                "id": volume_type.pk,
                "name": volume_type.name,
                "disk template": volume_type.disk_template,
                "deleted": volume_type.deleted,
                "specs": spec_texts(list(volume_type.specs.values_list("key", "value"))),
            }
        )
