"""Add a rescue image."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from cyclades.logic import rescue_images
from cyclades.management.rescue_arguments import add_values, shown, values_of
from synnefo.credentials import Credentials
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = (
        "Add a CD image that damaged servers can be booted from. A file must be on all Ganeti nodes below "
        "RESCUE_IMAGE_PATH; a URL must answer HEAD with 200. Example: snf-manage rescue-image-create "
        "--name grml --location grml64.iso --os-family linux --target-os-family linux --default True"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_values(parser, location_required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        values = values_of(options)
        if options["dry_run"]:
            rescue_images.check(values)
            self.say("The image could be added.")
            return
        image = rescue_images.create(Credentials.administrator(), values=values)
        self.print_show(shown(image))
