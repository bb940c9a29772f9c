"""Resolve commissions that object storage left pending."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pithos.logic import reconciliation
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = "List the commissions that object storage left pending, and reject them with --fix."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Resolve them instead of listing them.")
        parser.add_argument(
            "--older-than", type=int, default=reconciliation.MIN_AGE, metavar="SECONDS",
            help="Leave younger ones to the requests that made them (default %(default)s).",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        serials = reconciliation.stale_commissions(older_than=max(0, options["older_than"]))
        if not serials:
            self.say("No pending commissions.")
        if not options["fix"]:
            self._lists(
                {"Pending commissions to be accepted": [], "Pending commissions to be rejected": serials}
            )
            return
        resolution = reconciliation.reject(Credentials.administrator(), serials=serials)
        failed = [failure.serial for failure in resolution.failed]
        self._lists(
            {"Accepted": list(resolution.accepted), "Rejected": list(resolution.rejected), "Failed": failed}
        )
        if failed:
            raise CommandError("Some commissions could not be resolved.", returncode=EXIT_PARTIAL)

    def _lists(self, lists: dict[str, list[int]]) -> None:
        self.print_show(lists)
