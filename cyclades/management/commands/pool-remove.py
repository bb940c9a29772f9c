"""Remove a pool of bridges or MAC prefixes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import value_pools
from cyclades.management.arguments import number
from cyclades.management.pool_arguments import add_type
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = "Remove a pool of which nothing is in use."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_type(parser)
        parser.add_argument("pool_id", metavar="ID", help="Id of the pool.")

    def handle(self, *args: Any, **options: Any) -> None:
        pool_id = number(options["pool_id"], "Pool")
        self.confirm_deletion(options["force"], f"{options['type']} pool", [pool_id])
        value_pools.remove(Credentials.administrator(), kind=options["type"], pool_id=pool_id)
        self.say("The pool was removed.")
