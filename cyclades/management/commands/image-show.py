"""Show an image."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import images
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand

_FIELDS = (
    "id",
    "name",
    "status",
    "owner",
    "store",
    "location",
    "mapfile",
    "size",
    "checksum",
    "version",
    "disk_format",
    "container_format",
    "is_public",
    "users",
    "is_snapshot",
    "created_at",
    "updated_at",
    "backend_info",
    "properties",
)


class Command(SynnefoCommand):
    umask = 0o007
    help = "Show all that is known of an image."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("image_id", metavar="UUID", help="Id of the image.")

    def handle(self, *args: Any, **options: Any) -> None:
        image = images.get_image(Credentials.administrator(), options["image_id"])
        self.print_show({name: getattr(image, name) for name in _FIELDS} | {"deleted_at": ""})
