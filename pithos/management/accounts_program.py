"""The program ``pithos-manage-accounts``, by the name that administrators' scripts know."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the management command of the same name and return its exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.settings")
    from synnefo.management.runner import run

    return run([sys.argv[0], "pithos-manage-accounts", *sys.argv[1:]])
