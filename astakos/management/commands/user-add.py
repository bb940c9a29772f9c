"""Create a user who logs in with a password."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import users
from synnefo import crypto
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Create a user; the account still has to be verified and accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("email")
        add("first_name")
        add("last_name")
        add("--password", help="The password; without it one is made and printed.")
        add("--admin", action="store_true", help="Give the user every permission.")
        add(
            "-g",
            "--group",
            action="append",
            default=[],
            dest="groups",
            help="Add to this group (repeatable).",
        )
        add(
            "-p",
            "--permission",
            action="append",
            default=[],
            dest="permissions",
            help="Give this permission (repeatable).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or crypto.new_token(12)
        user = users.create(
            Credentials.administrator(),
            email=options["email"],
            first_name=options["first_name"],
            last_name=options["last_name"],
            password=password,
            admin=options["admin"],
            groups=options["groups"],
            permissions=options["permissions"],
        )
        generated = "" if options["password"] else f" and password: {password}"
        self.stdout.write(f"User created successfully with UUID: {user.uuid}{generated}")
