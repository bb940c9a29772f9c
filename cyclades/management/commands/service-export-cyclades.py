"""Print the description of this component's own services."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from astakos.public import export_services
from cyclades.public import service_definitions
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Print the public services and resources of Cyclades as JSON for service-import."

    def handle(self, *args: Any, **options: Any) -> None:
        document = export_services(
            component="cyclades", base_url=settings.CYCLADES_BASE_URL, definitions=service_definitions()
        )
        self.stdout.write(tables.json_text(document), ending="")
