"""The base of every ``*-list`` command (administrator's contract 1.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import models

from synnefo import users
from synnefo.management.base import SynnefoCommand
from synnefo.management.filters import parse_filters


@dataclass(frozen=True)
class Field:
    """A column: how to get it from a row and what it means.

    ``getter`` is an attribute path such as ``flavor.name`` or a function of the row.
    """

    getter: str | Callable[[Any], Any]
    help: str

    def of(self, row: Any) -> Any:
        """Return this column's value of *row*."""
        if callable(self.getter):
            return self.getter(row)
        value = row
        for part in self.getter.split("."):
            value = getattr(value, part) if value is not None else None
        return value


class ListCommand(SynnefoCommand):
    """Lists one model with filters and a choice of columns.

    Subclasses set ``object_class``, ``FIELDS`` and ``default_fields``; ``owner_field``,
    ``project_field`` and ``deleted_field`` switch the options that need them on.
    """

    object_class: ClassVar[type[models.Model]]
    FIELDS: ClassVar[Mapping[str, Field]]
    default_fields: ClassVar[Sequence[str]]
    owner_field: ClassVar[str | None] = None
    project_field: ClassVar[str | None] = None
    deleted_field: ClassVar[str | None] = None
    order_by: ClassVar[Sequence[str]] = ("pk",)
    select_related: ClassVar[Sequence[str]] = ()
    prefetch_related: ClassVar[Sequence[str | models.Prefetch]] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the shared option set of list commands."""
        add = parser.add_argument
        add("arguments", nargs="*", help="List commands take no arguments.")
        add("-o", "--output", metavar="FIELDS", help="Comma-separated columns to print, in this order.")
        add("--list-fields", action="store_true", help="Print the columns there are, and exit.")
        add(
            "--filter-by",
            action="append",
            default=[],
            metavar="EXPR",
            help="Conditions key=value,key>=value,key!=value on the model's fields, all of which must hold.",
        )
        add("--list-filters", action="store_true", help="Print the fields --filter-by knows, and exit.")
        add("--no-headers", action="store_true", help="Leave the header line out (pretty and csv).")
        add("--order-by", metavar="[-]FIELD", help="Sort by a model field; a leading dash reverses.")
        if self.owner_field:
            add("-u", "--user", metavar="UUID|EMAIL", help="Only what this user owns.")
            add(
                "--display-mails",
                "--displayname",
                action="store_true",
                dest="display_mails",
                help="Add the owner's e-mail address.",
            )
        if self.project_field:
            add("-p", "--project", metavar="UUID", help="Only what is charged to this project.")
        if self.deleted_field:
            add("-d", "--deleted", action="store_true", help="List deleted ones only.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the table the options ask for."""
        if options["arguments"]:
            raise CommandError("List commands do not accept any argument")
        if options["list_fields"]:
            self.print_table(
                ("Field", "Description"), [(name, field.help) for name, field in self.FIELDS.items()]
            )
            return
        if options["list_filters"]:
            self.print_table(("Filter", "Description"), self._filters())
            return
        columns = self.chosen_columns(options["output"])
        rows = list(self._queryset(options))
        mails = self._mails(rows) if options.get("display_mails") else None
        headers = [*columns, *(["user.email"] if mails is not None else [])]
        self.print_table(
            headers,
            [self._cells(row, columns, mails) for row in rows],
            show_headers=not options["no_headers"],
        )

    def chosen_columns(self, output: str | None) -> list[str]:
        """Return the columns of ``--output``; raises ``CommandError`` for an unknown one."""
        if not output:
            return list(self.default_fields)
        columns = [name.strip() for name in output.split(",") if name.strip()]
        for name in columns:
            if name not in self.FIELDS:
                raise CommandError(
                    f"Unknown field: '{name}'. Use --list-fields to find out available fields."
                )
        return columns

    def get_queryset(self, options: Mapping[str, Any]) -> models.QuerySet[Any]:
        """Return all rows; subclasses annotate or restrict here."""
        return self.object_class._default_manager.all()

    def _queryset(self, options: Mapping[str, Any]) -> models.QuerySet[Any]:
        queryset = self.get_queryset(options)
        try:
            for expression in options["filter_by"]:
                wanted, unwanted = parse_filters(self.object_class, expression)
                queryset = queryset.filter(**wanted)
                for condition in unwanted:
                    queryset = queryset.exclude(**condition)
            queryset = queryset.filter(**self._restrictions(options))
            order = [options["order_by"]] if options.get("order_by") else list(self.order_by)
            queryset = queryset.order_by(*order)
            str(queryset.query)
        except (FieldError, FieldDoesNotExist, ValueError, ValidationError) as error:
            raise CommandError(
                f"{_first_line(error)} Use --list-filters to find out available filters."
            ) from error
        return queryset.select_related(*self.select_related).prefetch_related(*self.prefetch_related)

    def _restrictions(self, options: Mapping[str, Any]) -> dict[str, Any]:
        restrictions: dict[str, Any] = {}
        if self.owner_field and options.get("user"):
            restrictions[self.owner_field] = users.uuid_of(options["user"])
        if self.project_field and options.get("project"):
            restrictions[self.project_field] = options["project"]
        if self.deleted_field:
            restrictions[self.deleted_field] = options["deleted"]
        return restrictions

    def _filters(self) -> list[tuple[str, str]]:
        fields = self.object_class._meta.get_fields()
        return [(f.name, str(getattr(f, "help_text", "")) or type(f).__name__) for f in fields if f.concrete]

    def _mails(self, rows: Iterable[Any]) -> dict[str, str]:
        owners = {str(getattr(row, self.owner_field or "pk") or "") for row in rows} - {""}
        return dict(users.emails_of(sorted(owners)))

    def _cells(self, row: Any, columns: Sequence[str], mails: Mapping[str, str] | None) -> list[Any]:
        cells = [self.FIELDS[name].of(row) for name in columns]
        if mails is not None:
            cells.append(mails.get(str(getattr(row, self.owner_field or "pk")), "-"))
        return cells


def _first_line(error: Exception) -> str:
    text = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    return text.splitlines()[0] if text else "Invalid filter."
