#!/usr/bin/env python3
"""Run management commands from a checkout; an installation has ``snf-manage``."""

import sys

from synnefo.cli import main

if __name__ == "__main__":
    sys.exit(main())
