"""Put terms of use into force."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import terms
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Put an HTML file into force as terms of use; all users have to accept them before going on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The HTML file; its text is stored.")

    def handle(self, *args: Any, **options: Any) -> None:
        row = terms.add(Credentials.administrator(), path=options["file"])
        self.stdout.write(f"Created term id {row.pk}")
