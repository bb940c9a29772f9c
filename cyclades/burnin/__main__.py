"""``python -m cyclades.burnin``."""

from __future__ import annotations

import sys

from cyclades.burnin.program import main

if __name__ == "__main__":
    sys.exit(main())
