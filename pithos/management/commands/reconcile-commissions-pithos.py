"""Resolve commissions that object storage left pending."""

from __future__ import annotations

from typing import Any

from pithos.logic import reconciliation
from synnefo.credentials import Credentials
from synnefo.management.quota_commands import CommissionsCommand


class Command(CommissionsCommand):
    help = "List the commissions that object storage left pending, and reject them with --fix."
    default_age = reconciliation.MIN_AGE

    def handle(self, *args: Any, **options: Any) -> None:
        serials = reconciliation.stale_commissions(older_than=max(0, options["older_than"]))
        if not options["fix"]:
            self.show_pending(accept=[], reject=serials)
            return
        if not serials:
            self.say("No pending commissions.")
        resolution = reconciliation.reject(Credentials.administrator(), serials=serials)
        self.show_resolved(
            accepted=resolution.accepted,
            rejected=resolution.rejected,
            failed=[failure.serial for failure in resolution.failed],
        )
