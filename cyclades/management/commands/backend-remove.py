"""Forget a Ganeti cluster."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import backends
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, RemoveCommand


class Command(RemoveCommand):
    help = "Forget a Ganeti cluster without servers, and remove our networks from it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("backend_id", metavar="ID", help="Id or cluster name of the backend.")

    def handle(self, *args: Any, **options: Any) -> None:
        backend = backends.get_backend(backend_id=options["backend_id"])
        self.confirm_deletion(options["force"], "backend", [backend.pk])
        problems = backends.remove_backend(Credentials.administrator(), backend_id=backend.pk)
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            raise SystemExit(EXIT_PARTIAL)
