"""Compare the disk space that objects take with the quota holder."""

from __future__ import annotations

from astakos.public import Recount
from pithos.logic import reconciliation
from synnefo.credentials import Credentials
from synnefo.management.quota_commands import RecountCommand


class Command(RecountCommand):
    help = "Compare the bytes of users' objects with what the quota holder has, by user and project."
    commissions_command = "reconcile-commissions-pithos"

    def recount(self, *, user: str | None, project: str | None) -> Recount:
        return reconciliation.compare(user=user, project=project)

    def correct(self, found: Recount, *, force: bool) -> None:
        reconciliation.correct(Credentials.administrator(), found=found, force=force)
