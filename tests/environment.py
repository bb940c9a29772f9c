"""Where the suite finds its servers: given by environment variables, or started by the lab."""

from __future__ import annotations

import os


def database_url() -> str:
    """Return the PostgreSQL URL to test on, or an empty string for SQLite."""
    return os.environ.get("SYNNEFO_TEST_DATABASE", "")
