"""List components."""

from __future__ import annotations

from astakos.logic.tokens import component_token
from astakos.models import Component
from synnefo.management.listing import Field, ListCommand


class Command(ListCommand):
    help = "List registered components."
    object_class = Component
    FIELDS = {
        "id": Field("id", "The component's id"),
        "name": Field("name", "The component's name"),
        "base_url": Field("base_url", "Where its services hang"),
        "ui_url": Field("url", "Where its pages are"),
        "token": Field(component_token, "What it authenticates with; keep it secret"),
        "token_created": Field("auth_token_created", "When the token was made"),
    }
    default_fields = ("id", "name", "base_url")
