"""List users' quota."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from astakos.logic import quota_lists, users
from astakos.management.units import add_unit_style, shown
from synnefo.management.base import SynnefoCommand, parse_bool

_COLUMNS = ["holder", "source", "resource", "limit", "usage"]


class Command(SynnefoCommand):
    help = "List the quota of accepted users."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("arguments", nargs="*", help="List commands take no arguments.")
        add("--overlimit", action="store_true", help="Only what is used beyond its limit.")
        add(
            "--filter-by",
            action="append",
            default=[],
            metavar="EXPR",
            help="Conditions on user, source, resource, limit, usage: 'user=…,usage>=10M'.",
        )
        add(
            "--with-custom",
            metavar="True|False",
            help="Only users' own limits that (don't) differ from the default.",
        )
        add("--display-mails", "--displayname", action="store_true", help="Add the user's e-mail address.")
        add("--no-headers", action="store_true", help="Leave the header line out (pretty and csv).")
        add_unit_style(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["arguments"]:
            raise CommandError("List commands do not accept any argument")
        custom = None if options["with_custom"] is None else parse_bool(options["with_custom"])
        rows = quota_lists.holdings(
            filters=",".join(options["filter_by"]), over_limit=options["overlimit"], custom=custom
        )
        style = options["unit_style"]
        table: list[list[Any]] = [
            [
                row.user,
                row.project,
                row.resource,
                shown(row.limit, row.unit, style),
                shown(row.usage, row.unit, style),
            ]
            for row in rows
        ]
        headers = list(_COLUMNS)
        if options["display_mails"]:
            names = users.catalog(uuids=[row.user for row in rows]).emails_by_uuid
            headers.insert(0, "displayname")
            table = [[names.get(row.user, "-"), *cells] for row, cells in zip(rows, table, strict=True)]
        self.print_table(headers, table, show_headers=not options["no_headers"])
