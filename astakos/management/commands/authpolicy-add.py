"""Make or change a profile of login policies."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import policy_profiles
from astakos.logic.auth_providers import PROFILE_POLICIES
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = "Make a profile of login policies, which authpolicy-set gives to users and groups."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("name", help="The profile's name.")
        add("provider", help="The login method, such as ldap.")
        add("--update", action="store_true", help="Change the profile of this name.")
        add("--exclusive", action="store_true", help="Apply to all login methods except this one.")
        for policy in PROFILE_POLICIES:
            is_limit = policy == "limit"
            add(
                f"--{policy}-policy",
                type=int if is_limit else strict_bool,
                metavar="NUMBER" if is_limit else "True|False",
                help=f"What the {policy} policy becomes.",
            )
            add(
                f"--unset-{policy}-policy",
                action="store_true",
                help=f"With --update: no longer set the {policy} policy.",
            )

    def handle(self, *args: Any, **options: Any) -> None:
        policies: dict[str, bool | int | None] = {}
        for policy in PROFILE_POLICIES:
            value, unset = options[f"{policy}_policy"], options[f"unset_{policy}_policy"]
            if unset and not options["update"]:
                raise CommandError(f"--unset-{policy}-policy needs --update")
            if unset and value is not None:
                raise CommandError(f"--{policy}-policy and --unset-{policy}-policy exclude each other")
            if unset or value is not None:
                policies[policy] = value
        policy_profiles.save(
            Credentials.administrator(),
            name=options["name"],
            provider=options["provider"],
            policies=policies,
            exclusive=options["exclusive"],
            update=options["update"],
        )
        self.stdout.write(
            f"Policy profile {'updated' if options['update'] else 'created'}: {options['name']}"
        )
