"""Delete a profile of login policies."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import policy_profiles
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Delete a profile of login policies; its users and groups stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The profile's name.")

    def handle(self, *args: Any, **options: Any) -> None:
        policy_profiles.remove(Credentials.administrator(), name=options["name"])
        self.stdout.write(f"Policy profile removed: {options['name']}")
