"""Show a service and its endpoints."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from astakos.logic import services
from astakos.management.show import ShowCommand


class Command(ShowCommand):
    help = "Show a service and its endpoints."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("service", metavar="ID|NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        service = services.find(options["service"])
        endpoints = [
            (endpoint.pk, row.key, row.value)
            for endpoint in service.endpoints.prefetch_related("data")
            for row in endpoint.data.all()
        ]
        self.print_object(
            {
                "id": service.pk,
                "name": service.name,
                "component": service.component.name,
                "type": service.type,
            },
            {"Endpoints": (("endpoint", "key", "value"), endpoints)},
        )
