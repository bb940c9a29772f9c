"""Where the suite finds its servers: given by environment variables, or started by the lab."""

from __future__ import annotations

import atexit
import os
import sys

_USE_SQLITE = "sqlite"


def database_url() -> str:
    """Return the PostgreSQL URL to test on, or an empty string for SQLite.

    ``SYNNEFO_TEST_DATABASE`` decides (``sqlite`` asks for SQLite). Without it, a test run starts a private
    server for itself where PostgreSQL is installed; processes the tests start inherit its address.
    """
    configured = os.environ.get("SYNNEFO_TEST_DATABASE", "")
    if configured:
        return "" if configured == _USE_SQLITE else configured
    if "pytest" not in sys.modules:
        # Settings are also loaded by type checkers and commands: no server for them.
        return ""
    os.environ["SYNNEFO_TEST_DATABASE"] = _start_postgres() or _USE_SQLITE
    return database_url()


def _start_postgres() -> str:
    from tests.lab.instance import Unavailable
    from tests.lab.postgres import PostgreSQL

    try:
        server = PostgreSQL().start()
    except Unavailable as error:
        print(f"tests run on SQLite: {error}", file=sys.stderr)
        return ""
    atexit.register(server.stop)
    return server.url()
