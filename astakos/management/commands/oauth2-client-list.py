"""List OAuth2 clients."""

from __future__ import annotations

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
        "trusted": Field("is_trusted", "Whether users are not asked"),
        "redirect_uris": Field(_urls, "Where answers may go"),
    }
    default_fields = ("id", "identifier", "redirect_uris", "type", "trusted")
