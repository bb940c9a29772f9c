"""List servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Prefetch, QuerySet

from cyclades.logic.image_names import ImageNames
from cyclades.management.arguments import number
from cyclades.management.server_view import shown_state
from cyclades.models import IPAddress, Port, Server, ServerState
from synnefo.management.listing import Field, ListCommand

_image_names = ImageNames()


def _addresses(version: int) -> Field:
    def of(server: Server) -> list[str]:
        return [ip.address for port in server.ports.all() for ip in port.ips.all() if ip.ipversion == version]

    return Field(of, f"IPv{version} addresses")


class Command(ListCommand):
    help = "List servers."
    object_class = Server
    owner_field = "userid"
    project_field = "project"
    deleted_field = "deleted"
    select_related = ("flavor__volume_type", "backend")
    prefetch_related = (
        Prefetch("ports", queryset=Port.objects.order_by("pk")),
        Prefetch("ports__ips", queryset=IPAddress.objects.filter(deleted=False)),
    )
    FIELDS = {
        "id": Field("pk", "Id of the server"),
        "name": Field("name", "Name"),
        "user.uuid": Field("userid", "Owner"),
        "flavor": Field("flavor.name", "Name of its flavor"),
        "backend": Field("backend", "Ganeti cluster"),
        "image.id": Field("imageid", "Image it was made of"),
        "image.name": Field(lambda server: _image_names.of(server.imageid), "Name of that image"),
        "state": Field(shown_state, "Status, with the progress of a build"),
        "ipv4": _addresses(4),
        "ipv6": _addresses(6),
        "created": Field("created", "When it was created"),
        "deleted": Field("deleted", "Is deleted"),
        "suspended": Field("suspended", "Is suspended"),
        "rescue": Field("rescue", "Boots a rescue image"),
        "project": Field("project", "Project it is charged to"),
        "task": Field("task", "What is being done to it"),
        "job": Field("task_job_id", "Job that does it"),
    }
    default_fields = ("id", "name", "user.uuid", "state", "flavor", "image.id", "backend", "rescue")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--suspended", action="store_true", help="Only suspended ones.")
        parser.add_argument("--backend-id", metavar="ID", help="Only those on this backend.")
        parser.add_argument("--image-name", action="store_true", help="Also show the names of images.")
        parser.add_argument("--build", action="store_true", help="Only those that are being built.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["image_name"] and "image.name" not in (options["output"] or ""):
            chosen = options["output"] or ",".join(self.default_fields)
            options["output"] = f"{chosen},image.name"
        super().handle(*args, **options)

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Server]:
        _image_names.forget()
        servers = Server.objects.all()
        if options["suspended"]:
            servers = servers.filter(suspended=True)
        if options["backend_id"]:
            servers = servers.filter(backend=number(options["backend_id"], "Backend"))
        if options["build"]:
            servers = servers.filter(operstate=ServerState.BUILD)
        return servers
