"""Compare the pools of bridges, MAC prefixes and addresses with what is in use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import reconcile_pools
from synnefo.credentials import Credentials
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = "Report values of pools that are wrongly marked, and with --fix mark them right."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Mark values as they are used.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = reconcile_pools.reconcile(Credentials.administrator(), fix=options["fix"])
        if not findings:
            self.say("Everything in sync.")
        rows = [[f.pool, f.value, str(f.problem), f.fixed] for f in findings]
        self.print_table(["pool", "value", "problem", "fixed"], rows)
        if options["fix"] and not all(finding.fixed for finding in findings):
            raise CommandError("Values that are in use twice must be freed by hand", returncode=EXIT_PARTIAL)
