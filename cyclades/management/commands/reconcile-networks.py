"""Compare networks with those of the Ganeti clusters."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import reconcile_networks
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = "Report differences between the database and Ganeti's networks, and with --fix-all mend them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix-all", action="store_true", help="Mend what differs.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = reconcile_networks.reconcile(fix=options["fix_all"])
        if not findings:
            self.say("Everything in sync.")
        rows = [[f.backend, f.network, str(f.difference), f.result] for f in findings]
        self.print_table(["backend", "network", "difference", "result"], rows)
        if any(finding.result.startswith("failed") for finding in findings):
            raise CommandError("Not everything could be compared or mended", returncode=EXIT_PARTIAL)
