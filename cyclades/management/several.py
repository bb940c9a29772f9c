"""Commands that do the same to several things (administrator's contract 1.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.core.management.base import CommandError

from synnefo.errors import SynnefoError
from synnefo.management.base import EXIT_USER_ERROR, SynnefoCommand


def for_each(
    command: SynnefoCommand, ids: Sequence[str], action: Callable[[str], None], failure: str
) -> None:
    """Do *action* with every id, telling each error; raises ``CommandError`` with *failure* after any."""
    failed = False
    for text in ids:
        try:
            action(text)
        except SynnefoError as error:
            command.stderr.write(f"Error -- {text}: {error.message}")
            failed = True
        except CommandError as error:
            command.stderr.write(f"Error -- {error}")
            failed = True
    if failed:
        raise CommandError(failure, returncode=EXIT_USER_ERROR)
