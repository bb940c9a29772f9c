"""Change a pool of bridges or MAC prefixes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import value_pools
from cyclades.management.arguments import number, words
from cyclades.management.pool_arguments import add_type
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Change a pool's size or base, or withhold values of it."

    def add_arguments(self, parser: CommandParser) -> None:
        add_type(parser)
        add = parser.add_argument
        add("pool_id", metavar="ID", help="Id of the pool.")
        add("--size", type=int, help="New size; what falls away must be unused.")
        add("--base", help="New begin of the bridges' names, or first MAC prefix.")
        add("--offset", type=int, help="Kept for older configurations.")
        add("--add-reserved", metavar="V,V", help="Values to withhold, such as prv7 or aa:00:5.")
        add("--remove-reserved", metavar="V,V", help="Values not to withhold any more.")

    def handle(self, *args: Any, **options: Any) -> None:
        value_pools.modify(
            Credentials.administrator(),
            kind=options["type"],
            pool_id=number(options["pool_id"], "Pool"),
            size=options["size"],
            base=options["base"],
            offset=options["offset"],
            add_reserved=words(options["add_reserved"]),
            remove_reserved=words(options["remove_reserved"]),
        )
        self.say("The pool was changed.")
