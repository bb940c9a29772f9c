"""Remove a component."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import components
from synnefo.credentials import Credentials
from synnefo.management.base import RemoveCommand


class Command(RemoveCommand):
    help = "Remove a component together with the services it registered."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("component", metavar="ID|NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        component = components.find(options["component"])
        self.confirm_deletion(options["force"], "component", [component.name])
        components.remove(Credentials.administrator(), component_id=component.pk)
        self.say(f"Component {component.name} removed")
