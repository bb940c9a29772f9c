"""Mail verification links."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import accounts, users
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Send the verification mail to users who have not proved their address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("users", metavar="ID|EMAIL", nargs="+")

    def handle(self, *args: Any, **options: Any) -> None:
        failures = 0
        for text in options["users"]:
            try:
                user = users.find(text)
                if user.email_verified:
                    self.say(f"{user.email}: already verified, skipped")
                    continue
                accounts.send_verification(Credentials.administrator(), user_id=user.pk)
            except SynnefoError as error:
                self.say(f"{text}: {error.message}")
                failures += 1
            else:
                self.stdout.write(f"Activation sent to {user.email}")
        if failures:
            raise CommandError(f"{failures} of {len(options['users'])} mails were not sent")
