"""Bases of all management commands (administrator's contract 1)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from synnefo.errors import ServiceUnavailable, SynnefoError
from synnefo.management import tables

EXIT_USER_ERROR = 1
EXIT_PARTIAL = 2
EXIT_UNAVAILABLE = 3

_TRUE_WORDS = frozenset({"yes", "true", "t", "1"})
_FALSE_WORDS = frozenset({"no", "false", "f", "0"})


def parse_bool(text: str) -> bool:
    """Return the truth of *text*, one of yes/true/t/1 or no/false/f/0; raises ``CommandError``."""
    if text.lower() in _TRUE_WORDS:
        return True
    if text.lower() in _FALSE_WORDS:
        return False
    raise CommandError(f"'{text}' is neither true nor false")


def strict_bool(text: str) -> bool:
    """Argparse type of options that take exactly ``True`` or ``False``."""
    if text not in ("True", "False"):
        raise argparse.ArgumentTypeError(f"'{text}' is not True or False")
    return text == "True"


def add_wait_option(parser: CommandParser, *, default: bool = True) -> None:
    """Add ``--wait True|False`` (administrator's contract 1.5)."""
    parser.add_argument(
        "--wait",
        type=strict_bool,
        default=default,
        metavar="True|False",
        help=f"Wait for the Ganeti jobs to complete (default {default}).",
    )


class SynnefoCommand(BaseCommand):
    """A command that prints tables in every format and reports errors of the logic as its own."""

    umask: int | None = None

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add the output format to every command's options."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--output-format",
            choices=tables.FORMATS,
            default="pretty",
            metavar="pretty|csv|json",
            help="How to print the result: pretty (default), csv or json.",
        )
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command with faults of the logic turned into ``CommandError``."""
        self.style_name: str = options.get("output_format", "pretty")
        try:
            return super().execute(*args, **options)
        except ServiceUnavailable as error:
            raise CommandError(error.message, returncode=EXIT_UNAVAILABLE) from error
        except SynnefoError as error:
            text = f"{error.message} ({error.details})" if error.details else error.message
            raise CommandError(text, returncode=EXIT_USER_ERROR) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"the database is not available: {error}", returncode=EXIT_UNAVAILABLE
            ) from error

    def print_table(
        self,
        headers: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        title: str = "",
        show_headers: bool = True,
    ) -> None:
        """Print *rows* on standard output in the chosen format."""
        self.stdout.write(
            tables.render_table(headers, rows, style=self.style_name, title=title, show_headers=show_headers),
            ending="",
        )

    def print_show(self, fields: Mapping[str, Any]) -> None:
        """Print one object's fields on standard output in the chosen format."""
        self.stdout.write(tables.render_object(fields, style=self.style_name), ending="")

    def print_tables(self, sections: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]]) -> None:
        """Print several titled tables; JSON gives one object keyed by title."""
        if self.style_name == "json":
            document = {
                title: [dict(zip(headers, row, strict=True)) for row in rows]
                for title, (headers, rows) in sections.items()
            }
            self.stdout.write(tables.json_text(document), ending="")
            return
        for title, (headers, rows) in sections.items():
            self.print_table(headers, rows, title=title)

    def say(self, text: str) -> None:
        """Tell the person at the terminal something that is not data."""
        self.stderr.write(text, self.style.NOTICE)

    def confirm(self, question: str) -> bool:
        """Ask a yes/no question; an unreadable terminal means no. Raises ``CommandError`` on gibberish."""
        self.stderr.write(f"{question} [Y/N] ", ending="")
        self.stderr.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "on", *_TRUE_WORDS):
            return True
        if answer in ("", "n", "off", *_FALSE_WORDS):
            return False
        raise CommandError("Unaccepted input value")


class RemoveCommand(SynnefoCommand):
    """A command that removes things after a confirmation (administrator's contract 1.4)."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``-f/--force``."""
        parser.add_argument("-f", "--force", action="store_true", help="Do not ask for confirmation.")

    def confirm_deletion(self, force: bool, resource: str, ids: Sequence[Any]) -> None:
        """Raise ``CommandError`` unless forced or confirmed."""
        listed = ", ".join(map(str, ids))
        if not force and not self.confirm(f"Are you sure you want to delete {resource} {listed}?"):
            raise CommandError("Aborting deletion")
