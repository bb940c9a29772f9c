"""Try again to send the mails that the mail server did not take."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import mail_queue
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = "Send the mails that wait for the mail server and whose next attempt is due; run it by cron."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="At most this many (default 1000).")

    def handle(self, *args: Any, **options: Any) -> None:
        done = mail_queue.send_due(limit=max(0, options["limit"]))
        self.stdout.write(f"{done.sent} mail(s) sent, {done.failed} left waiting")
        if done.failed:
            raise CommandError("the mail server did not take every mail", returncode=EXIT_PARTIAL)
