"""Show a component and its services."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import components
from astakos.logic.tokens import component_token
from astakos.management.show import ShowCommand


class Command(ShowCommand):
    help = "Show a component, its token and its services."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("component", metavar="ID|NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        component = components.find(options["component"])
        services = [(row.pk, row.name, row.type) for row in component.services.all()]
        self.print_object(
            {
                "id": component.pk,
                "name": component.name,
                "base url": component.base_url,
                "ui url": component.url,
                "token": component_token(component),
                "token created": component.auth_token_created,
                "token expires": component.auth_token_expires,
            },
            {"Registered services": (("id", "name", "type"), services)},
        )
