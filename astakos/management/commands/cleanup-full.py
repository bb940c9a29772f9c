"""Delete what has expired."""

from __future__ import annotations

from typing import Any

from astakos.logic import housekeeping
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Delete expired browser sessions with their catalog, and other login data that has expired."

    def handle(self, *args: Any, **options: Any) -> None:
        self.print_show(housekeeping.delete_expired(Credentials.administrator()))
