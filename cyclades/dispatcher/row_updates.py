"""One UPDATE for many rows with values of their own.

Django's ``bulk_update`` writes a CASE for every value, which costs several times what the UPDATE itself
does; a join with the values is one plain statement in both databases.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, models


def update_rows(rows: Sequence[models.Model], columns: Sequence[str]) -> None:
    """Write the fields *columns* of *rows*, all of one model, in the caller's transaction."""
    meta = type(rows[0])._meta
    fields = [meta.pk, *(field for field in meta.concrete_fields if field.name in columns)]
    quote = connection.ops.quote_name
    is_postgres = connection.vendor == "postgresql"
    # SQLite names the columns of VALUES by itself, and needs no types.
    names = [quote(f"v{n}") if is_postgres else f"column{n + 1}" for n in range(len(fields))]
    places = [f"%s::{f.rel_db_type(connection) if f.primary_key else f.db_type(connection)}" for f in fields]
    place = f"({', '.join(places if is_postgres else ['%s'] * len(fields))})"
    alias = f"v ({', '.join(names)})" if is_postgres else "v"
    columns_of_table = [quote(str(field.column)) for field in fields]
    changes = ", ".join(
        f"{column} = v.{name}" for column, name in zip(columns_of_table[1:], names[1:], strict=True)
    )
    table = quote(meta.db_table)
    # Only names from the model's own definition are put into the text.
    sql = (
        f"UPDATE {table} SET {changes} FROM (VALUES {', '.join([place] * len(rows))}) AS {alias} "  # noqa: S608
        f"WHERE {table}.{columns_of_table[0]} = v.{names[0]}"
    )
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
