"""Show a pending commission."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import commissions
from astakos.management.show import ShowCommand


class Command(ShowCommand):
    help = "Show a commission that is neither accepted nor rejected."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("serial", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        commission = commissions.show(serial=options["serial"])
        rows = [(row.holder, row.resource, row.source, row.quantity) for row in commission.provisions]
        self.print_object(
            {
                "serial": commission.serial,
                "name": commission.name,
                "clientkey": commission.clientkey,
                "issue_time": commission.issue_time,
            },
            {"Provisions": (("holder", "resource", "source", "quantity"), rows)},
        )
