"""Remove ports."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import ports
from cyclades.management.network_arguments import find_port, remove_each
from cyclades.management.waiting import follow
from cyclades.models import JobIntent
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand, add_wait_option


class Command(RemoveCommand):
    help = "Remove ports, those of public networks too; servers are disconnected by a job."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("port_ids", nargs="+", metavar="ID", help="Ids, or names of Ganeti NICs.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.confirm_deletion(options["force"], "ports", options["port_ids"])
        remove_each(self, options["port_ids"], partial(self._remove, wait=options["wait"]))

    def _remove(self, text: str, *, wait: bool) -> None:
        port = find_port(text)
        ports.delete(Credentials.administrator(), port_id=port.pk)
        if port.machine is not None and not port.machine.deleted:
            follow(self, JobIntent.objects.filter(server=port.machine).last(), wait=wait)
