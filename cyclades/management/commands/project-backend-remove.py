"""End reservations of backends."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import backends
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Remove one mapping by id, or all of a project and/or a backend."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mapping_id", metavar="ID", nargs="?", type=int, help="Id of the mapping.")
        parser.add_argument("--project", help="UUID of the project.")
        parser.add_argument("--backend", help="Id or cluster name of the backend.")

    def handle(self, *args: Any, **options: Any) -> None:
        count = backends.remove_project_backends(
            Credentials.administrator(),
            mapping_id=options["mapping_id"],
            project=options["project"],
            backend_id=options["backend"],
        )
        self.say(f"Removed {count} mapping(s).")
