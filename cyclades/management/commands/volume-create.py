"""Create a volume."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import volume_create
from cyclades.logic.volume_sources import IMAGE, SNAPSHOT
from cyclades.management.arguments import find_server, find_volume_type, number
from cyclades.management.volume_view import summary
from cyclades.management.waiting import follow
from cyclades.models import JobIntent
from synnefo import users
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, add_wait_option


class Command(SynnefoCommand):
    help = (
        "Create a volume on a server, or for a user on none: then its type must be detachable, and its data "
        "come into being when it is attached. The user's quota is charged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("-s", "--size", required=True, metavar="GiB", help="Size.")
        add("--name", default="", help="Name.")
        add("--description", default="", help="Description.")
        add("--user", metavar="UUID|EMAIL", help="Owner; by default the server's.")
        add("--project-id", metavar="UUID", help="Project that pays; by default the server's or the owner's.")
        add("--server", metavar="ID", help="Server to put it on.")
        add("--volume-type", metavar="ID", help="Type; by default that of the server's flavor.")
        add("--source", metavar="image:ID|snapshot:ID", help="What it is filled from.")
        add_wait_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        server = find_server(options["server"]) if options["server"] else None
        owner = users.uuid_of(options["user"]) if options["user"] else (server.userid if server else None)
        if owner is None:
            raise CommandError("Give the owner with --user, or a server with --server")
        kind = find_volume_type(options["volume_type"]) if options["volume_type"] else None
        request = volume_create.VolumeRequest(
            name=options["name"],
            description=options["description"],
            size=number(options["size"], "size"),
            volume_type_id=kind.pk if kind else None,
            server_id=server.pk if server else None,
            source=_source(options["source"]),
            project=options["project_id"] or (server.project if server else owner),
        )
        volume = volume_create.create(Credentials(user_id=owner, is_admin=True), request=request)
        self.print_show(summary(volume))
        if server is not None:
            follow(self, JobIntent.objects.filter(server=server).last(), wait=options["wait"])


def _source(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    kind, _, source_id = text.partition(":")
    if kind not in (IMAGE, SNAPSHOT) or not source_id:
        raise CommandError("--source must be image:ID or snapshot:ID")
    return kind, source_id
