"""Read the clusters' free resources."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from cyclades.logic import backends
from cyclades.models import Backend
from synnefo.errors import ServiceUnavailable
from synnefo.management.base import EXIT_PARTIAL, SynnefoCommand


class Command(SynnefoCommand):
    help = "Read disk templates and free resources of every backend that is not offline."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = []
        for backend in Backend.objects.filter(offline=False).order_by("pk"):
            try:
                backends.update_status(backend)
            except ServiceUnavailable as error:
                failed.append(backend.clustername)
                self.stderr.write(f"{backend}: {error}")
        if failed:
            raise CommandError(f"Not updated: {', '.join(failed)}", returncode=EXIT_PARTIAL)
