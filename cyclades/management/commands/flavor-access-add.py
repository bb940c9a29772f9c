"""Open a private flavor to a project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos import public as astakos
from cyclades.logic import flavors
from cyclades.management.arguments import find_flavor
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Open a private flavor to a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, metavar="UUID")
        parser.add_argument("--flavor", required=True, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        flavor = find_flavor(options["flavor"])
        if not astakos.active_project_exists(options["project"]):
            raise CommandError(f"Project with ID {options['project']} does not exist or is not active.")
        access = flavors.grant_access(
            Credentials.administrator(), flavor_id=flavor.pk, project=options["project"]
        )
        self.print_show({"id": access.pk, "flavor": flavor.pk, "project": access.project})
