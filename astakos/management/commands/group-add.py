"""Create a group."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Create a group of users."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        created = users.add_group(Credentials.administrator(), name=options["name"])
        self.stdout.write(f"Group {options['name']} {'created' if created else 'exists already'}")
