"""Resolve commissions that nothing waits for any more."""

from __future__ import annotations

from typing import Any

from cyclades.logic import quota_reconciliation
from synnefo.credentials import Credentials
from synnefo.management.quota_commands import CommissionsCommand


class Command(CommissionsCommand):
    help = (
        "List the pending commissions of Cyclades, and with --fix reject those that no server, volume, "
        "network or address waits for. Those of jobs that still run are left alone."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = quota_reconciliation.pending_commissions(older_than=max(0, options["older_than"]))
        if not options["fix"]:
            self.show_pending(accept=[], reject=found.reject, of_running_jobs=found.waiting)
            return
        if not found.reject:
            self.say("No commissions to resolve.")
        resolution = quota_reconciliation.reject_commissions(
            Credentials.administrator(), serials=found.reject
        )
        self.show_resolved(
            accepted=resolution.accepted,
            rejected=resolution.rejected,
            failed=[failure.serial for failure in resolution.failed],
        )
