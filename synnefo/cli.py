"""``snf-manage``: management commands with the shared behaviour of administrator's contract 1."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    """Run the command named by ``sys.argv`` and return the exit status."""
    # What is imported until the command runs stays until the end: nothing of it is worth looking for.
    gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.settings")
    argv = list(sys.argv)
    if len(argv) < 2:
        argv.append("help")
    if argv[1] == "help":
        return _help(argv)
    if argv[1] == "--version":
        from synnefo import __version__

        print(__version__)
        return 0
    from synnefo.management.runner import run

    return run(argv)


def _help(argv: list[str]) -> int:
    from synnefo.management.runner import command_names, run

    if len(argv) > 2:
        return run([argv[0], argv[2], "--help"])
    print("\n".join(sorted(command_names())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
