"""Compare the usage of pending applications with the applications that await review."""

from __future__ import annotations

from astakos.logic import pending_applications
from astakos.logic.recounts import Recount
from synnefo.credentials import Credentials
from synnefo.management.quota_commands import RecountCommand


class Command(RecountCommand):
    help = "Recount the project applications that await review and compare with the quota holder."
    counted_column = "Astakos"

    def recount(self, *, user: str | None, project: str | None) -> Recount:
        return pending_applications.recount(user=user, project=project)

    def correct(self, found: Recount, *, force: bool) -> None:
        pending_applications.correct(Credentials.administrator(), found=found, force=force)
