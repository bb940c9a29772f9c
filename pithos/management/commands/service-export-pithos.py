"""Print the description of object storage's services."""

from __future__ import annotations

from typing import Any

from astakos.logic.services import export_document
from django.conf import settings
from pithos.logic.registration import service_definitions
from synnefo.management import tables
from synnefo.management.base import SynnefoCommand


class Command(SynnefoCommand):
    help = "Print the public services and resources of Pithos as JSON for service-import."

    def handle(self, *args: Any, **options: Any) -> None:
        document = export_document(
            component="pithos", base_url=settings.PITHOS_BASE_URL, definitions=service_definitions()
        )
        self.stdout.write(tables.json_text(document), ending="")
