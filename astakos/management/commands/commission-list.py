"""List commissions that wait for their outcome."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import QuerySet

from astakos.models import Commission
from synnefo import clock
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List the commissions that are neither accepted nor rejected."
    object_class = Commission
    FIELDS = {
        "serial": Field("serial", "The commission's serial"),
        "name": Field("name", "What it is for"),
        "clientkey": Field("clientkey", "The component that issued it"),
        "issue_time": Field("issue_datetime", "When it was issued"),
    }
    default_fields = ("serial", "name", "clientkey", "issue_time")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--overdue", type=int, metavar="SECONDS", help="Only those older than this.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Commission]:
        commissions = Commission.objects.all()
        if options["overdue"] is None:
            return commissions
        try:
            moment = clock.now() - dt.timedelta(seconds=options["overdue"])
        except OverflowError:
            raise CommandError("--overdue is out of range") from None
        return commissions.filter(issue_datetime__lte=moment)
