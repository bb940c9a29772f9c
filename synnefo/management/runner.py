"""Finding and running management commands, with their log files (administrator's contract 1.1 and 1.7)."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from synnefo import request_id
from synnefo.logs import mask

#: Options whose value never reaches the command log.
_SECRET_OPTIONS = ("--password", "--pass", "--secret", "--auth-token", "--token")


def command_names() -> list[str]:
    """Return the commands of Django and of the services this host runs (administrator's contract 1.1)."""
    import django
    from django.conf import settings
    from django.core.management import get_commands

    django.setup()
    absent = {"astakos", "pithos", "cyclades", "stats"} - set(settings.SYNNEFO_SERVICES)
    return [name for name, app in get_commands().items() if app not in absent]


def run(argv: list[str]) -> int:
    """Run ``argv[1]`` and return its exit status."""
    from django.core.management import ManagementUtility
    from django.core.management.base import BaseCommand

    if argv[1] not in command_names():
        print(f"Unknown command: '{argv[1]}'\nType 'snf-manage help' for usage.", file=sys.stderr)
        return 1
    with request_id.bound(request_id.new()), _command_log(argv):
        # Made in here, because a command keeps the streams it finds when it is made.
        command: BaseCommand = ManagementUtility(argv).fetch_command(argv[1])
        gc.freeze()
        gc.enable()
        try:
            command.run_from_argv(argv)
        except SystemExit as stop:
            return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    return 0


def masked(argv: list[str]) -> list[str]:
    """Return *argv* with the values of secret options replaced."""
    result: list[str] = []
    hide_next = False
    for word in argv:
        option, equals, _ = word.partition("=")
        is_secret = len(option) > 4 and any(secret.startswith(option) for secret in _SECRET_OPTIONS)
        if hide_next:
            result.append("***")
        elif is_secret and equals:
            result.append(f"{option}=***")
        else:
            result.append(word)
        hide_next = is_secret and not equals and not hide_next
    return result


class _Tee:
    """A stream that also writes every line, with its time, to the command log."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self._stream = stream
        self._log = log

    def write(self, text: str) -> int:
        if text.strip():
            self._log.write(f"{datetime.now(UTC).isoformat()} {mask(text.rstrip())}\n")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _command_log(argv: list[str]) -> Iterator[None]:
    from django.conf import settings

    if re.search(settings.LOGGER_EXCLUDE_COMMANDS, argv[1]) or "--help" in argv or "-h" in argv:
        yield
        return
    stamp = datetime.now(UTC).strftime("%y%m%d%H%M%S")
    folder = os.path.join(settings.LOG_DIR, "commands")
    path = os.path.join(folder, f"{stamp}_{argv[1]}_{os.getpid()}.log")
    try:
        os.makedirs(folder, mode=0o750, exist_ok=True)
        log = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")
    except OSError as error:
        print(f"warning: no command log: {error}", file=sys.stderr)
        yield
        return
    with log:
        log.write(f"{datetime.now(UTC).isoformat()} pid {os.getpid()}: {' '.join(masked(argv))}\n")
        with (
            contextlib.redirect_stdout(_Tee(sys.stdout, log)),
            contextlib.redirect_stderr(_Tee(sys.stderr, log)),
        ):
            yield
