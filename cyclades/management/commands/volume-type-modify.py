"""Change a volume type."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import volume_types
from cyclades.management.arguments import find_volume_type, specs, words
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Change a volume type; deleting or restoring it does the same to its flavors."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("volume_type_id", metavar="ID")
        add("--name", help="New name.")
        add("--deleted", type=strict_bool, metavar="True|False", help="Offer it no longer, or again.")
        add("--spec-add", metavar="K=V,...", help="Parameters to add or change.")
        add("--spec-delete", metavar="K,...", help="Parameters to remove.")

    def handle(self, *args: Any, **options: Any) -> None:
        change = volume_types.VolumeTypeChange(
            name=options["name"],
            deleted=options["deleted"],
            set_specs=specs(options["spec_add"]),
            drop_specs=words(options["spec_delete"]),
        )
        volume_type = find_volume_type(options["volume_type_id"])
        volume_types.modify_volume_type(
            Credentials.administrator(), volume_type_id=volume_type.pk, change=change
        )
