"""Emptying the test database after a test that commits, at the price of what the test wrote.

Django truncates every table and fills in permissions and content types again. Few tests touch more than
ten of our hundred tables, and nobody changes those two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.commands import flush

KEPT = ("django_content_type", "auth_permission")


def flush_only_filled_tables(connection: Any) -> None:
    """Let flushes of databases like *connection* delete the rows there are, and keep what migrating made."""

    def sql_flush(self: Any, style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        quote = self.quote_name
        candidates = [table for table in tables if table not in KEPT]
        asked = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quote(table)})" for table in candidates
        )
        with self.connection.cursor() as cursor:
            cursor.execute(asked)
            return [f"DELETE FROM {quote(table)}" for (table,) in cursor.fetchall()]

    # Every thread and every browser's loop has connections of its own.
    type(connection.ops).sql_flush = sql_flush
    flush.emit_post_migrate_signal = lambda *arguments, **options: None
