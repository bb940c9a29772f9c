"""Settings of the pages and the cloud bar (identity contract 5, 6; web contract 5)."""

from __future__ import annotations
