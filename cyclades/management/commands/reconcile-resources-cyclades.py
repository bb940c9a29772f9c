"""Compare what users have with the quota holder."""

from __future__ import annotations

from astakos.public import Recount
from cyclades.logic import quota_reconciliation
from synnefo.credentials import Credentials
from synnefo.management.quota_commands import RecountCommand


class Command(RecountCommand):
    help = (
        "Recount servers, CPUs, memory, disks, networks and floating IPs by user and project, and compare "
        "with what the quota holder has."
    )
    commissions_command = "reconcile-commissions-cyclades"

    def recount(self, *, user: str | None, project: str | None) -> Recount:
        return quota_reconciliation.compare(user=user, project=project)

    def correct(self, found: Recount, *, force: bool) -> None:
        quota_reconciliation.correct(Credentials.administrator(), found=found, force=force)
