"""Change a flavor."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import flavors
from cyclades.management.arguments import find_flavor, specs, words
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Change a flavor; servers that have it keep it."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("flavor_id", metavar="ID")
        add("--deleted", type=strict_bool, metavar="True|False", help="Hide it from everybody.")
        add("--allow-create", type=strict_bool, metavar="True|False", help="New servers may have it.")
        add("--public", type=strict_bool, metavar="True|False", help="Open to all projects.")
        add("--spec-add", metavar="K=V,...", help="Parameters to add or change.")
        add("--spec-delete", metavar="K,...", help="Parameters to remove.")

    def handle(self, *args: Any, **options: Any) -> None:
        flavor = find_flavor(options["flavor_id"])
        change = flavors.FlavorChange(
            deleted=options["deleted"],
            allow_create=options["allow_create"],
            public=options["public"],
            set_specs=specs(options["spec_add"]),
            drop_specs=words(options["spec_delete"]),
        )
        flavors.modify_flavor(Credentials.administrator(), flavor_id=flavor.pk, change=change)
