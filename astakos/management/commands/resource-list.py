"""List resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import CharField, QuerySet, Value

from astakos.management.units import add_unit_style, shown
from astakos.models import Resource
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List the resources that quota counts."
    object_class = Resource
    FIELDS = {
        "id": Field("id", "The resource's id"),
        "name": Field("name", "The resource's name"),
        "service_type": Field("service_type", "Type of the service that counts it"),
        "service_origin": Field("service_origin", "Name of the service that counts it"),
        "unit": Field("unit", "What its quantities are measured in"),
        "system_default": Field(
            lambda row: shown(row.uplimit, row.unit, row.style), "Limit of future users' system projects"
        ),
        "project_default": Field(
            lambda row: shown(row.project_default, row.unit, row.style), "Limit of future other projects"
        ),
        "description": Field("desc", "What it is"),
        "api_visible": Field("api_visible", "Whether the API shows it"),
        "ui_visible": Field("ui_visible", "Whether pages show it"),
    }
    default_fields = ("id", "name", "system_default", "project_default", "api_visible", "ui_visible")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_unit_style(parser)

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Resource]:
        return Resource.objects.annotate(style=Value(options["unit_style"], output_field=CharField()))
