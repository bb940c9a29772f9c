"""Reserve a backend for a project."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import backends
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Let a project use a private backend; it then uses its reserved backends only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="UUID of the project.")
        parser.add_argument("--backend", required=True, help="Id or cluster name of the backend.")

    def handle(self, *args: Any, **options: Any) -> None:
        mapping = backends.add_project_backend(
            Credentials.administrator(), project=options["project"], backend_id=options["backend"]
        )
        self.say(f"Created mapping {mapping.pk}.")
