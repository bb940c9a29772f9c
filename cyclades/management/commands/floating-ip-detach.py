"""Take a floating IP off its server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import ports
from cyclades.management.network_arguments import find_floating_ip
from cyclades.management.waiting import follow
from cyclades.models import JobIntent
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option


class Command(SynnefoCommand):
    help = "Take a floating IP off its server or port."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ip_id", metavar="ID", help="Id of the floating IP.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        ip = find_floating_ip(options["ip_id"])
        if ip.nic is None:
            raise CommandError(f"Floating IP {ip.pk} is not attached.")
        ports.delete(Credentials.administrator(), port_id=ip.nic.pk)
        if ip.nic.machine_id is not None:
            follow(self, JobIntent.objects.filter(server=ip.nic.machine_id).last(), wait=options["wait"])
