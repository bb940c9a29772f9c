"""Show a flavor."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.management.arguments import find_flavor, spec_texts
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a flavor."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("flavor_id", metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        flavor = find_flavor(options["flavor_id"])
        self.print_show(
            {
                "id": flavor.pk,
                "name": flavor.name,
                "cpu": flavor.cpu,
                "ram": flavor.ram,
                "disk": flavor.disk,
                "volume_type": flavor.volume_type_id,
                "template": flavor.volume_type.disk_template,
                "allow_create": flavor.allow_create,
                "public": flavor.public,
                "deleted": flavor.deleted,
                "specs": spec_texts(list(flavor.specs.values_list("key", "value"))),
            }
        )
