"""Mail a text to one user, several, or all."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import mails, users
from synnefo.credentials import Credentials
from synnefo.errors import SynnefoError
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Mail a text to the named users, or to all who are active; a mail each, so that nobody sees others."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("users", nargs="*", metavar="ID|UUID|EMAIL", help="Whom to mail.")
        parser.add_argument("--all", action="store_true", help="Everybody who is active instead.")
        parser.add_argument(
            "--text", metavar="FILE", required=True, help="File with the text; - for standard input."
        )
        parser.add_argument("--subject", default="", help="Subject, instead of the usual one.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["users"]) is options["all"]:
            raise CommandError("Name users, or say --all.")
        source = options["text"]
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"Cannot read the text: {error}") from error
        failed = []
        sent = 0
        chosen: Iterable[int | str] = users.active_ids() if options["all"] else options["users"]
        for name in chosen:
            try:
                user_id = name if isinstance(name, int) else users.find(name).pk
                mails.send_plain(
                    Credentials.administrator(), user_id=user_id, text=text, title=options["subject"]
                )
                sent += 1
            except SynnefoError as error:
                failed.append(str(name))
                self.stderr.write(f"{name}: {error}")
        self.say(f"{sent} mail(s) written")
        if failed:
            raise CommandError(f"not mailed: {', '.join(failed)}", returncode=EXIT_PARTIAL)
