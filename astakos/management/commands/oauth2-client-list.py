"""List OAuth2 clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from astakos.models import OAuth2Client
from synnefo.management.listing import Field, ListCommand


def _urls(client: OAuth2Client) -> str:
    return ", ".join(row.url for row in client.redirect_urls.all())


class Command(ListCommand):
    help = "List OAuth2 clients."
    object_class = OAuth2Client
    prefetch_related = ("redirect_urls",)
    FIELDS = {
        "id": Field("id", "The client's id"),
        "identifier": Field("identifier", "What it calls itself in requests"),
        "name": Field("name", "What users are shown"),
        "type": Field("type", "confidential or public"),
        "is_trusted": Field("is_trusted", "Whether users are not asked"),
        "redirect_urls": Field(_urls, "Where answers may go"),
    }
    default_fields = ("id", "identifier", "type", "is_trusted")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--confidential", action="store_true", help="Only clients that have a secret.")
        add("--public", action="store_true", help="Only clients that can keep no secret.")
        add("--trusted", action="store_true", help="Only clients that users are not asked about.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[OAuth2Client]:
        clients = OAuth2Client.objects.all()
        kinds = [kind for kind in ("confidential", "public") if options[kind]]
        if kinds:
            clients = clients.filter(type__in=kinds)
        return clients.filter(is_trusted=True) if options["trusted"] else clients
