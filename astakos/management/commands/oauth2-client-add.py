"""Register an OAuth2 client."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import oauth2_clients
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_SHORT = 16


class Command(SynnefoCommand):
    help = "Register a program that may ask for OAuth2 tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("identifier", help="The client's identifier.")
        add("--secret", help="What the client authenticates with; stored as a digest only.")
        add("--type", choices=("confidential", "public"), default="confidential", help="Has it a secret?")
        add("--is-trusted", action="store_true", help="Give it codes without asking the user.")
        add(
            "--url", dest="urls", nargs="+", action="extend", default=[], metavar="URL",
            help="Where answers may go, with everything below; the first is the default.",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        secret = options["secret"]
        added = oauth2_clients.add(
            Credentials.administrator(),
            identifier=options["identifier"],
            urls=options["urls"],
            secret=secret,
            is_public=options["type"] == "public",
            is_trusted=options["is_trusted"],
        )
        for url in added.ignored_urls:
            self.say(f"Ignored, because it is too long: {url[:80]}…")
        if secret and len(secret) < _SHORT:
            self.say(f"The secret is short; {_SHORT} random characters or more keep guessers out")
        self.say(f"OAuth2 client {added.client.identifier} added with id {added.client.pk}")
