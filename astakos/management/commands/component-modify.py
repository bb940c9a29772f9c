"""Change a component."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import components
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_OPTIONS = ("ui_url", "base_url", "auth_token", "renew_token", "purge_services")


class Command(SynnefoCommand):
    help = "Change a component."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("component", metavar="ID|NAME")
        add("--ui-url", help="Where its pages are.")
        add("--base-url", help="Where its services hang.")
        add("--auth-token", help="The token to authenticate with.")
        add("--renew-token", action="store_true", help="Make a new token and print it.")
        add("--purge-services", action="store_true", help="Forget the services it registered.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not any(options[name] for name in _OPTIONS):
            names = ", ".join(f"--{name.replace('_', '-')}" for name in _OPTIONS)
            raise CommandError(f"Nothing to change: give at least one of {names}")
        change = components.modify(
            Credentials.administrator(),
            component_id=components.find(options["component"]).pk,
            base_url=options["base_url"],
            ui_url=options["ui_url"],
            token=options["auth_token"],
            renew_token=options["renew_token"],
            purge_services=options["purge_services"],
        )
        if change.token is not None:
            self.stdout.write(f"Token: {change.token}")
        self.say(f"Component {change.component.name} changed")
