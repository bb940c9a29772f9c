"""List services."""

from __future__ import annotations

from astakos.models import Service
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List registered services."
    object_class = Service
    FIELDS = {
        "id": Field("id", "The service's id"),
        "name": Field("name", "The service's name"),
        "component": Field("component.name", "The component it belongs to"),
        "type": Field("type", "What clients look it up by"),
    }
    default_fields = ("id", "name", "component", "type")
    select_related = ("component",)
