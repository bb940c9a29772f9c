"""Compare the limits that projects imply with those the quota holder has."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import limits, users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_COLUMNS = ("Holder", "Source", "Resource", "Astakos", "Quotaholder")


class Command(SynnefoCommand):
    help = "Find holdings whose limit is not what projects and memberships imply."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--fix", "--sync", action="store_true", help="Repair what is found.")
        add(
            "--include-unexpected-holdings",
            action="store_true",
            help="Also holdings that no project implies.",
        )
        add("--user", metavar="UUID|EMAIL", help="Only this user's holdings.")

    def handle(self, *args: Any, **options: Any) -> None:
        unexpected = options["include_unexpected_holdings"]
        found = list(limits.inconsistencies(include_unexpected=unexpected))
        holder = limits.user_holder(users.find(options["user"]).uuid) if options["user"] else None
        found = [item for item in found if holder in (None, item.holder)]
        if not found:
            self.say("Everything in sync.")
        if not found and self.style_name != "json":
            return
        rows = [(item.holder, item.source, item.resource, item.expected, item.actual) for item in found]
        self.print_tables({"Inconsistencies": (_COLUMNS, rows)})
        if found and options["fix"]:
            limits.repair(Credentials.administrator(), include_unexpected=unexpected, holder=holder)
            self.say("Repaired.")
