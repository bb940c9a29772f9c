"""Show a volume and what Ganeti has of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.ganeti import names
from cyclades.ganeti.observation import disks_of
from cyclades.logic import server_inspection
from cyclades.management.volume_view import find_volume, summary
from cyclades.models import Volume
from synnefo.errors import ServiceUnavailable
from synnefo.management.base import EXIT_UNAVAILABLE, SynnefoCommand


class Command(SynnefoCommand):
    help = "Show a volume, the disk that Ganeti has for it, and the jobs of its server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("volume_id", metavar="ID", help="Id, or name of the Ganeti disk.")
        parser.add_argument(
            "--display-mails", "--displayname", action="store_true", help="Show the owner's address."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        volume = find_volume(options["volume_id"])
        fields = summary(volume, mails=options["display_mails"])
        sections: dict[str, Any] = {"Volume": (("key", "value"), list(fields.items()))}
        try:
            sections |= _in_ganeti(volume)
        except ServiceUnavailable as error:
            self.print_tables(sections)
            raise CommandError(error.message, returncode=EXIT_UNAVAILABLE) from error
        self.print_tables(sections)


def _in_ganeti(volume: Volume) -> dict[str, Any]:
    server = volume.machine
    if server is None:
        return {}
    live = server_inspection.inspect(server=server, with_jobs=True)
    if live is None:
        return {}
    name = names.disk_name(volume.pk, volume.legacy_backend_volume_uuid)
    disks = [
        (index, disk.name, disk.size, disk.uuid)
        for index, disk in enumerate(disks_of(live.instance))
        if disk.name == name
    ]
    jobs = [(job.get("id"), job.get("status"), _operation(job)) for job in live.jobs]
    return {
        "Disk in Ganeti": (("index", "name", "size (MiB)", "uuid"), disks),
        "Jobs": (("id", "status", "operation"), jobs),
    }


def _operation(job: Mapping[str, Any]) -> str:
    ops = job.get("ops") or [{}]
    return str(ops[0].get("OP_ID", ""))
