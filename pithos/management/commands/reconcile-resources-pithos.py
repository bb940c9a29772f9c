"""Compare the disk space that objects take with the quota holder."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.public import user_catalog
from pithos.logic import reconciliation
from pithos.logic.quota import RESOURCE
from pithos.logic.reconciliation import Findings
from synnefo.credentials import Credentials
from synnefo.errors import OverLimit
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand

_COLUMNS = ("Type", "Holder", "Source", "Resource", "Database", "Quotaholder")


class Command(SynnefoCommand):
    help = "Compare the bytes of users' objects with what the quota holder has, by user and project."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--user", "--userid", metavar="UUID|EMAIL", help="Only this user's.")
        add("--project", metavar="UUID", help="Only what is charged to this project.")
        add("--fix", action="store_true", help="Correct the quota holder.")
        add("--force", action="store_true", help="With --fix: even beyond limits.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self._user(options["user"])
        found = reconciliation.compare(user=user, project=options["project"])
        if user is not None and not found.holdings and not found.unknown:
            raise CommandError(f"No holdings for user: {user}.")
        for item in found.skipped:
            self.say(
                f"Pending commission for {item.holder}, source {item.source}; left alone. "
                "Run reconcile-commissions-pithos first."
            )
        for item in found.unknown:
            self.say(f"No holdings for {item.kind}: {item.user or item.project} ({item.counted} bytes).")
        if not found.unsynced:
            self.say("Everything in sync.")
        if found.unsynced or self.style_name == "json":
            rows = [
                (item.kind, item.holder, item.source, RESOURCE, item.counted, item.held)
                for item in found.unsynced
            ]
            self.print_table(_COLUMNS, rows)
        if found.unsynced and options["fix"]:
            self._fix(found, force=options["force"])
        if found.unknown:
            raise CommandError("Some bytes are charged to nobody.", returncode=EXIT_PARTIAL)

    def _user(self, text: str | None) -> str | None:
        if text is None or "@" not in text:
            return text
        uuid = user_catalog(emails=[text]).uuids_by_email.get(text)
        if uuid is None:
            raise CommandError(f"No holdings for user: {text}.")
        return uuid

    def _fix(self, found: Findings, *, force: bool) -> None:
        try:
            reconciliation.correct(Credentials.administrator(), found=found, force=force)
        except OverLimit as error:
            raise CommandError(
                "Reconciling failed because a limit has been reached. Use --force to ignore limits. "
                f"({error.message})"
            ) from error
        self.say("Fixed unsynced resources")
