"""Change a rescue image."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from cyclades.logic import rescue_images
from cyclades.management.arguments import number
from cyclades.management.rescue_arguments import add_values, shown, values_of
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand, strict_bool


class Command(SynnefoCommand):
    help = (
        "Change a rescue image. A new default takes the place of the old one; the default can't be unset, "
        "and an image that servers use keeps its location. Example: snf-manage rescue-image-modify 3 "
        "--default True"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("image_id", metavar="ID", help="Id of the rescue image.")
        add_values(parser, location_required=False)
        parser.add_argument(
            "--deleted", type=strict_bool, metavar="True|False", help="Whether it is out of use."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        image_id = number(options["image_id"], "Rescue image")
        values = values_of(options)
        if not values.given():
            raise CommandError("Give at least one property to change")
        if options["dry_run"]:
            rescue_images.find(image_id)
            self.say("The image could be looked up; its new values are checked when they are set.")
            return
        image = rescue_images.modify(Credentials.administrator(), image_id=image_id, values=values)
        self.print_show(shown(image))
