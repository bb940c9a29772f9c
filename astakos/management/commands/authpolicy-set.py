"""Say to whom a profile of login policies applies."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import policy_profiles
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Replace the users and groups that a profile of login policies applies to."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("name", help="The profile's name.")
        add("--user", type=int, action="append", default=[], dest="users", metavar="ID",
            help="A user's id (repeatable).")  # fmt: skip
        add("--group", type=int, action="append", default=[], dest="groups", metavar="ID",
            help="A group's id (repeatable).")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        profile = policy_profiles.assign(
            Credentials.administrator(),
            name=options["name"],
            users=options["users"],
            groups=options["groups"],
        )
        self.stdout.write(
            f"{profile.name}: {len(set(options['users']))} users, {len(set(options['groups']))} groups"
        )
