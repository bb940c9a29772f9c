"""Rename a subnet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import subnets
from cyclades.management.network_arguments import find_subnet
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Rename a subnet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subnet_id", metavar="ID", help="Id of the subnet.")
        parser.add_argument("--name", required=True, help="New name.")

    def handle(self, *args: Any, **options: Any) -> None:
        subnet = find_subnet(options["subnet_id"])
        subnets.rename(Credentials.administrator(), subnet_id=subnet.pk, name=options["name"])
        self.say(f"Subnet {subnet.pk} was renamed.")
