"""``snf-network``: what Ganeti's scripts call, and what an administrator looks at."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from gtools.network import actions, install, node_config
from gtools.network.errors import NetworkError
from gtools.network.records import Records
from gtools.network.system import DryRun, RealSystem, System

logger = logging.getLogger("snf-network")


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="snf-network",
        description="Guests' networks on a Ganeti node. Ganeti passes the interface in the environment.",
    )
    parser.add_argument("--defaults", help=f"settings file (default: {node_config.DEFAULT_FILE})")
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="print commands and rule sets, change nothing"
    )
    programs = parser.add_subparsers(dest="action", required=True)
    programs.add_parser("ifup", help="a guest's device has come up (kvm-vif-bridge)")
    programs.add_parser("hook", help="an instance was changed, stopped, moved or removed (Ganeti's hooks)")
    programs.add_parser("restore", help="put back the rules of all guests, or bring them new settings")
    programs.add_parser("clean", help="remove what vanished devices have left")
    programs.add_parser("show", help="print what is set up, one JSON object a line")
    installer = programs.add_parser("install", help="write the scripts that Ganeti calls")
    installer.add_argument("directory", nargs="?", default="/etc/ganeti", help="default: /etc/ganeti")
    installer.add_argument("--python", default=sys.executable, help="interpreter that has this program")
    installer.add_argument("--python-path", default="", help="PYTHONPATH for a program that is not installed")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Do what was asked for; raise `NetworkError`."""
    if options.action == "install":
        for path in install.install(
            options.directory, options.python, options.python_path, options.defaults or ""
        ):
            sys.stdout.write(f"{path}\n")
        return
    config = node_config.load(options.defaults)
    system: System = DryRun() if options.dry_run else RealSystem()
    if options.action == "ifup":
        actions.bring_up(os.environ, system, config)
    elif options.action == "hook":
        actions.refresh(os.environ, system, config)
    elif options.action == "restore":
        sys.stdout.write(f"{actions.restore(system, config)} devices restored\n")
    elif options.action == "clean":
        sys.stdout.write(f"{actions.clean('', system, config)} devices cleaned\n")
    else:
        for record in Records(config).all():
            sys.stdout.write(f"{json.dumps(asdict(record))}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``snf-network``; Ganeti shows what is written to standard error."""
    options = parse_options(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="snf-network: %(levelname)s %(message)s"
    )
    try:
        run(options)
    except (NetworkError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
