"""Register services from their JSON description."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import service_documents, services
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_MAX_BYTES = 10 << 20


class Command(SynnefoCommand):
    help = "Register services, with their endpoints and resources, from JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", required=True, metavar="FILE|-", help="The description; - is standard input."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        parsed = service_documents.parse(self._text(options["json"]))
        for outcome in services.import_services(Credentials.administrator(), services=parsed):
            for warning in outcome.warnings:
                self.say(f"Warning: {warning}")
            self.stdout.write(f"{'Added' if outcome.created else 'Updated'} service {outcome.name}.")
            for resource in outcome.new_resources:
                self.stdout.write(f"Resource '{resource}' created in database with unlimited quota.")

    def _text(self, source: str) -> str:
        try:
            if source == "-":
                return sys.stdin.read(_MAX_BYTES)
            with Path(source).open(encoding="utf-8") as file:
                return file.read(_MAX_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"Cannot read {source}: {error}") from None
