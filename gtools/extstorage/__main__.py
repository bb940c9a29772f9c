"""``snf-extstorage``: the provider's actions, which Ganeti runs, and ``install`` for administrators."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from gtools.extstorage import install, request
from gtools.extstorage.errors import StorageError
from gtools.extstorage.store import FileStore

_DEFAULT_STORE = "/srv/ganeti/snf-volumes"


def main() -> None:
    """Do one action; the exit code tells Ganeti how it ended."""
    arguments = _parse()
    try:
        if arguments.action == "install":
            _install(arguments)
            return
        store = FileStore(Path(os.environ.get("SNF_VOLUME_STORE", _DEFAULT_STORE)))
        answer = getattr(store, arguments.action)(request.read(os.environ))
    except (StorageError, OSError) as error:
        sys.stderr.write(f"snf-extstorage: {error}\n")
        raise SystemExit(1) from None
    if answer:
        sys.stdout.write(f"{answer}\n")


def _install(arguments: argparse.Namespace) -> None:
    install.install(
        arguments.directory, arguments.python, store=arguments.store, python_path=arguments.python_path
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snf-extstorage", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in install.SCRIPTS:
        actions.add_parser(name, help="run by Ganeti, which describes the disk in the environment")
    installing = actions.add_parser("install", help="copy the provider's scripts to Ganeti's directory")
    installing.add_argument(
        "directory", nargs="?", default="/usr/local/lib/ganeti/extstorage/snffile", help="(%(default)s)"
    )
    installing.add_argument("--python", default=sys.executable, help="interpreter (%(default)s)")
    installing.add_argument("--python-path", default="", help="where it finds this program")
    installing.add_argument("--store", default=_DEFAULT_STORE, help="directory of the volumes (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
