"""Compare the usage of pending applications with the applications that await review."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import pending_applications, users
from astakos.logic.limits import user_holder
from astakos.models import Holding
from synnefo.credentials import Credentials
from synnefo.errors import OverLimit
from synnefo.management.base import SynnefoCommand

_COLUMNS = ("Type", "Holder", "Source", "Resource", "Astakos", "Quotaholder")


class Command(SynnefoCommand):
    help = "Recount the project applications that await review and compare with the quota holder."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--user", "--userid", metavar="UUID|EMAIL", help="Only this user's.")
        add("--project", metavar="UUID", help="Only what is charged to this project.")
        add("--fix", action="store_true", help="Correct the quota holder.")
        add("--force", action="store_true", help="With --fix: even beyond limits.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = users.find(options["user"]).uuid if options["user"] else None
        if user and not Holding.objects.filter(holder=user_holder(user)).exists():
            raise CommandError(f"No holdings for user: {user}.")
        found = pending_applications.recount(user=user, project=options["project"])
        for item in found.skipped:
            self.say(f"Pending commission for {item.holder}, source {item.source}; left alone.")
        if not found.unsynced:
            self.say("Everything in sync.")
        if found.unsynced or self.style_name == "json":
            rows = [
                (item.kind, item.holder, item.source, pending_applications.RESOURCE, item.counted, item.held)
                for item in found.unsynced
            ]
            self.print_table(_COLUMNS, rows)
        if found.unsynced and options["fix"]:
            self._fix(found, force=options["force"])

    def _fix(self, found: pending_applications.Recount, *, force: bool) -> None:
        try:
            pending_applications.correct(Credentials.administrator(), found=found, force=force)
        except OverLimit as error:
            raise CommandError(
                "Reconciling failed because a limit has been reached. Use --force to ignore limits. "
                f"({error.message})"
            ) from error
        self.say("Fixed unsynced resources")
