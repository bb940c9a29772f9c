"""Show a server as the database and Ganeti have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import image_names, server_inspection
from cyclades.management.arguments import find_server
from cyclades.management.server_view import shown_state
from cyclades.models import Server
from synnefo import users
from synnefo.errors import ServiceUnavailable
from synnefo.management.base import EXIT_UNAVAILABLE, SynnefoCommand

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]

_PORTS = ("ID", "Name", "Index", "MAC", "IPv4 Address", "IPv6 Address", "Network", "Firewall", "State")
_VOLUMES = ("ID", "Name", "Index", "Size", "Template", "Provider", "Status", "Source")
_JOBS = ("id", "status", "summary", "opresult", "opstatus", "oplog", "start_ts", "end_ts")
_INSTANCE = (
    "name",
    "oper_state",
    "admin_state",
    "status",
    "pnode",
    "snodes",
    "network_port",
    "disk_template",
    "disk_usage",
    "oper_ram",
    "oper_vcpus",
    "mtime",
    "ctime",
)


class Command(SynnefoCommand):
    help = "Show a server as the database and Ganeti have it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("server_id", metavar="ID", help="Id, or name of the Ganeti instance.")
        parser.add_argument("--jobs", action="store_true", help="Also show the Ganeti jobs about it.")
        parser.add_argument(
            "--display-mails", "--displayname", action="store_true", help="Show the owner's e-mail address."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server_id"])
        sections = _database_sections(server, options["display_mails"])
        if server.backend is None or server.deleted:
            self.print_tables(sections)
            return
        try:
            live = server_inspection.inspect(server=server, with_jobs=options["jobs"])
        except ServiceUnavailable as error:
            self.print_tables(sections)
            raise CommandError(error.message, returncode=EXIT_UNAVAILABLE) from error
        if live is None:
            self.print_tables(sections)
            self.say(f"Server '{server.pk}' does not exist in backend '{server.backend.clustername}'")
            return
        self.print_tables(sections | _ganeti_sections(live, options["jobs"]))


def _pairs(fields: Mapping[str, Any]) -> Table:
    return ("key", "value"), list(fields.items())


def _database_sections(server: Server, mails: bool) -> dict[str, Table]:
    fields = {
        "id": server.pk,
        "name": server.name,
        "userid": server.userid,
        "username": users.emails_of([server.userid]).get(server.userid) if mails else None,
        "project": server.project,
        "shared_to_project": server.shared_to_project,
        "flavor_id": server.flavor_id,
        "flavor_name": server.flavor.name,
        "imageid": server.imageid,
        "image_name": image_names.names_of([server.imageid]).get(server.imageid),
        "created": server.created,
        "state": shown_state(server),
        "backend": server.backend,
        "deleted": server.deleted,
        "action": server.action,
        "task": server.task,
        "task_job_id": server.task_job_id,
        "rescue": server.rescue,
        "rescue_image": server.rescue_image if server.rescue else None,
        "backendjobid": server.backendjobid,
        "backendopcode": server.backendopcode,
        "backendjobstatus": server.backendjobstatus,
        "backend_time": server.backendtime,
    }
    return {
        "Server": _pairs(fields),
        "Ports": (_PORTS, _port_rows(server)),
        "Volumes": (_VOLUMES, _volume_rows(server)),
    }


def _port_rows(server: Server) -> list[tuple[Any, ...]]:
    rows = []
    for port in server.ports.order_by("pk").prefetch_related("ips"):
        by_version = {ip.ipversion: ip.address for ip in port.ips.all() if not ip.deleted}
        rows.append(
            (
                port.pk,
                port.name,
                port.index,
                port.mac,
                by_version.get(4),
                by_version.get(6),
                port.network_id,
                port.firewall_profile,
                port.state,
            )
        )
    return rows


def _volume_rows(server: Server) -> list[tuple[Any, ...]]:
    return [
        (
            volume.pk,
            volume.name,
            volume.index,
            volume.size,
            volume.volume_type.template,
            volume.volume_type.provider,
            volume.status,
            volume.source,
        )
        for volume in server.volumes.filter(deleted=False).select_related("volume_type").order_by("pk")
    ]


def _ganeti_sections(live: server_inspection.LiveServer, jobs: bool) -> dict[str, Table]:
    instance = live.instance
    sections: dict[str, Table] = {
        "Ganeti": _pairs({name: instance.get(name) for name in _INSTANCE}),
        "Tags in Ganeti": (("tag",), [(tag,) for tag in instance.get("tags") or ()]),
        "Hypervisor": _pairs(instance.get("hvparams") or {}),
        "NICs in Ganeti": (
            ("ip", "mac", "name", "network"),
            list(
                zip(
                    *(_column(instance, f"nic.{k}") for k in ("ips", "macs", "names", "networks")),
                    strict=False,
                )
            ),
        ),
        "Disks in Ganeti": (
            ("name", "size"),
            list(zip(*(_column(instance, f"disk.{k}") for k in ("names", "sizes")), strict=False)),
        ),
    }
    if jobs:
        sections["Jobs"] = (_JOBS, [[job.get(name) for name in _JOBS] for job in live.jobs])
    return sections


def _column(instance: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = instance.get(name)
    return value if isinstance(value, list) else []
