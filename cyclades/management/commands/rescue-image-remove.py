"""Remove a rescue image."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import rescue_images
from cyclades.management.arguments import number
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = (
        "Take a rescue image out of use. With -f also the default one and one that servers use, which "
        "then boot it until they are started without rescue mode."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("image_id", metavar="ID", help="Id of the rescue image.")
        parser.add_argument("-n", "--dry-run", action="store_true", help="Only say what would be removed.")

    def handle(self, *args: Any, **options: Any) -> None:
        image_id = number(options["image_id"], "Rescue image")
        image = rescue_images.find(image_id)
        if options["dry_run"]:
            using = rescue_images.servers_using(image).count()
            self.say(f"Would remove {image}, which {using} servers use.")
            return
        self.confirm_deletion(options["force"], "rescue image", [image_id])
        rescue_images.remove(Credentials.administrator(), image_id=image_id, force=options["force"])
        self.say("The rescue image was removed.")
