"""Print the description of this component's own services."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from astakos.logic.registration import COMPONENT, service_definitions
from astakos.logic.services import export_document
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Print the public services and resources of Astakos as JSON for service-import."

    def handle(self, *args: Any, **options: Any) -> None:
        document = export_document(
            component=COMPONENT, base_url=settings.ASTAKOS_BASE_URL, definitions=service_definitions()
        )
        self.stdout.write(tables.json_text(document), ending="")
