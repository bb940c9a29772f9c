"""Show a profile of login policies."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import policy_profiles
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a profile of login policies."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The profile's name.")

    def handle(self, *args: Any, **options: Any) -> None:
        profile = policy_profiles.find(name=options["name"])
        policies = policy_profiles.policies_of(profile)
        self.print_show(
            {
                "id": profile.pk,
                "is active": profile.active,
                "name": profile.name,
                "provider": profile.provider,
                "is exclusive": profile.is_exclusive,
                "policies": ", ".join(f"{name}: {value}" for name, value in policies.items()),
                "groups": ", ".join(group.name for group in profile.groups.all()),
                "users": ", ".join(user.email for user in profile.users.all()),
            }
        )
