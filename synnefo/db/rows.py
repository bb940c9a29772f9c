"""Rows of statements written by hand, to and from models.

For the few statements that every request makes: Django takes several times as long to put such a statement
together as the database to run it. Everything else goes through the models' managers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models

from synnefo.db import prepared

M = TypeVar("M", bound=models.Model)
Fields = tuple["models.Field[Any, Any]", ...]


def columns(model: type[models.Model], alias: str) -> str:
    """Return a model's columns, in the order in which ``build`` takes them, for a SELECT's list."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def width(model: type[models.Model]) -> int:
    """Return how many columns a model has."""
    return len(model._meta.concrete_fields)


def build(model: type[M], values: Sequence[Any]) -> M:
    """Return the object whose columns, in the order of ``columns``, are *values*."""
    database = connections[DEFAULT_DB_ALIAS]
    found = list(values)
    for place, converters in _converters(model, database.vendor):
        for convert in converters:
            found[place] = convert(found[place], None, database)
    return model.from_db(DEFAULT_DB_ALIAS, _names(model), found)


def build_optional(model: type[M], values: Sequence[Any]) -> M | None:
    """Return the object of an outer join's columns, None where the join found no row."""
    return None if values[0] is None else build(model, values)


def split(row: Sequence[Any], *parts: type[models.Model]) -> list[Sequence[Any]]:
    """Cut a row into the columns of each of the models *parts* and, last, what follows them."""
    cut, start = [], 0
    for model in parts:
        cut.append(row[start : start + width(model)])
        start += width(model)
    return [*cut, row[start:]]


def link(instance: models.Model, field: str, related: models.Model | None) -> None:
    """Note that *related* is what the relation *field* of *instance* leads to, None that it leads nowhere.

    Either direction, as ``select_related`` does.
    """
    # ``get_field`` may return any kind of field by its type; only relations keep what they lead to.
    instance._meta.get_field(field).set_cached_value(instance, related)  # type: ignore[union-attr]


def insert(instance: models.Model) -> None:
    """Write a new row and put its key, if the database chooses it, on *instance*."""
    statement, fields = _insert(type(instance))
    row = prepared.fetch_one(statement, _prepared_values(instance, fields))
    assert row is not None
    _written(instance, row[0])


def insert_all(instances: Sequence[models.Model]) -> None:
    """Write new rows of one model and put their keys on *instances*. One query."""
    if len(instances) == 1:
        insert(instances[0])
    elif instances:
        type(instances[0])._default_manager.bulk_create(instances)


def insert_under(parent: models.Model, child: models.Model, field: str) -> None:
    """Write a new row and another that refers to it by *field*; on PostgreSQL in one statement."""
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        insert(parent)
        setattr(child, field, parent)
        insert(child)
        return
    statement, above, below = _insert_under(type(parent), type(child), field)
    row = prepared.fetch_one(statement, [*_prepared_values(parent, above), *_prepared_values(child, below)])
    assert row is not None
    _written(parent, row[0])
    setattr(child, field, parent)
    _written(child, row[1])


def _prepared_values(instance: models.Model, fields: Sequence[models.Field[Any, Any]]) -> list[Any]:
    database = connections[DEFAULT_DB_ALIAS]
    return [field.get_db_prep_save(getattr(instance, field.attname), database) for field in fields]


def _written(instance: models.Model, key: Any) -> None:
    instance.pk = key
    instance._state.adding = False
    instance._state.db = DEFAULT_DB_ALIAS


@lru_cache(maxsize=64)
def _names(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


@lru_cache(maxsize=64)
def _converters(model: type[models.Model], vendor: str) -> tuple[tuple[int, tuple[Any, ...]], ...]:
    """Return what turns a database's values into the model's, by place; nothing on PostgreSQL."""
    database = connections[DEFAULT_DB_ALIAS]
    found = []
    for place, field in enumerate(model._meta.concrete_fields):
        both = (*database.ops.get_db_converters(field.cached_col), *field.get_db_converters(database))
        if both:
            found.append((place, both))
    return tuple(found)


def _given(model: type[models.Model]) -> Fields:
    """Return the fields that a new row is given."""
    return tuple(field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField))


@lru_cache(maxsize=64)
def _insert(model: type[models.Model]) -> tuple[str, Fields]:
    # Only names from the models' own definitions are put into the texts here and below.
    fields = _given(model)
    names, marks = ", ".join(f'"{field.column}"' for field in fields), ", ".join(["%s"] * len(fields))
    table, key = model._meta.db_table, model._meta.pk.column
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks}) RETURNING "{key}"', fields  # noqa: S608


@lru_cache(maxsize=64)
def _insert_under(
    parent: type[models.Model], child: type[models.Model], name: str
) -> tuple[str, Fields, Fields]:
    statement, above = _insert(parent)
    link_field = next(field for field in child._meta.concrete_fields if field.name == name)
    below = tuple(field for field in _given(child) if field is not link_field)
    names, marks = ", ".join(f'"{field.column}"' for field in below), ", ".join(["%s"] * len(below))
    key, link_column = parent._meta.pk.column, link_field.column
    both = f"""
        WITH made AS ({statement}) INSERT INTO "{child._meta.db_table}" ("{link_column}", {names})
        SELECT made."{key}", {marks} FROM made RETURNING "{link_column}", "{child._meta.pk.column}"
    """  # noqa: S608
    return both, above, below
