"""``snf-dispatcher``: applies Ganeti's events to the database (administrator's contract 6.4)."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

DEFAULT_PID_FILE = "/var/run/synnefo/snf-dispatcher.pid"


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="snf-dispatcher", description=__doc__)
    add = parser.add_argument
    add("-d", "--debug", action="store_true", help="Log everything to standard error.")
    add("-p", "--pid-file", default=DEFAULT_PID_FILE, help=f"PID file (default {DEFAULT_PID_FILE}).")
    add("--purge-queues", action="store_true", help="Delete all queues that are empty and unused.")
    add("--purge-exchanges", action="store_true", help="Delete the exchanges, after the queues.")
    add("--drain-queue", metavar="QUEUE", help="Drop all messages of a queue.")
    add("--status-check", action="store_true", help="Ask the running dispatcher how everything is.")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon, or one of the administrative actions, and return the exit status."""
    options = parse_options(arguments)
    # What is loaded until work begins stays: nothing of it is worth looking for.
    gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.settings")
    import django

    django.setup()
    if options.debug:
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("pika").setLevel(logging.INFO)
    from cyclades.dispatcher import queue_tools

    if options.status_check:
        return queue_tools.status_check(options.pid_file)
    if options.drain_queue:
        return queue_tools.drain(options.drain_queue)
    if options.purge_queues or options.purge_exchanges:
        return queue_tools.purge(exchanges=options.purge_exchanges)
    return _serve(options.pid_file)


def _serve(pid_file: str) -> int:
    from cyclades.dispatcher.service import Dispatcher

    gc.freeze()
    gc.enable()
    dispatcher = Dispatcher()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: dispatcher.stop())
    try:
        with _pid_file(pid_file):
            dispatcher.run()
    except BlockingIOError:
        sys.stderr.write(f"snf-dispatcher: another one runs with {pid_file}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"snf-dispatcher: {error}\n")
        return 1
    return 0


@contextlib.contextmanager
def _pid_file(path: str) -> Iterator[None]:
    """Hold *path* locked with our process id in it, for the duration of a ``with`` block."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            Path(path).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
