"""Close a private flavor to a project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import flavors
from cyclades.management.arguments import number
from cyclades.models import FlavorAccess
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Close a private flavor to a project; named by the permission's id, or by flavor and project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("access_id", nargs="?", metavar="ID")
        parser.add_argument("--project", metavar="UUID")
        parser.add_argument("--flavor", metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        access = FlavorAccess.objects.filter(**self._lookup(options)).first()
        if access is None:
            raise CommandError("There is no such permission. Use flavor-access-list to find out their IDs.")
        flavors.revoke_access(Credentials.administrator(), access=access)

    def _lookup(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["access_id"] is not None:
            return {"pk": number(options["access_id"], "Flavor access")}
        if options["project"] is None or options["flavor"] is None:
            raise CommandError("Give an ID, or both --project and --flavor")
        return {"project": options["project"], "flavor": number(options["flavor"], "Flavor")}
