"""Register a component."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import components
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Register a component and print the token it authenticates with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--ui-url", help="Where its pages are.")
        parser.add_argument("--base-url", help="Where its services hang.")

    def handle(self, *args: Any, **options: Any) -> None:
        change = components.add(
            Credentials.administrator(),
            name=options["name"],
            base_url=options["base_url"],
            ui_url=options["ui_url"],
        )
        self.stdout.write(f"Token: {change.token}")
