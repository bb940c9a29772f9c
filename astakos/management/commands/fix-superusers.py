"""Complete the accounts of superusers that Django made."""

from __future__ import annotations

from typing import Any

from astakos.logic import admin_users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Give superusers made with createsuperuser a token and a login method; the address still has to be "
        "verified and the account accepted."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        count = admin_users.complete_superusers(Credentials.administrator())
        self.stdout.write(f"{count} superuser(s) completed")
