"""A text column that sorts by the bytes of its UTF-8 form on every database."""

from __future__ import annotations

from typing import Any

from django.db import models


class BytewiseCharField(models.CharField):  # type: ignore[type-arg]
    """A CharField with collation "C" on PostgreSQL; SQLite compares bytes already.

    Listings are sorted, paged and cut by prefix in byte order, which no language's collation gives
    (object-storage contract 1).
    """

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        """Add the collation where the database needs it."""
        parameters: dict[str, Any] = super().db_parameters(connection)
        parameters["collation"] = "C" if connection.vendor == "postgresql" else None
        return parameters
