"""What the shell learns from object storage: containers and objects to search (web contract 4.1)."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from branding import facts, search
from branding.templatetags.ui import number_text, size_text
from pithos.logic import search as finding
from synnefo.credentials import Credentials


def register() -> None:
    """Tell the shell all of it."""
    search.provide(search.Kind("container", 40, _("Containers"), "folder", find_containers))
    search.provide(search.Kind("object", 41, _("Files"), "folder", find_objects))
    facts.provide("pithos", _facts)


def _facts(credentials: Credentials) -> list[tuple[str, str]]:
    counts = finding.counts(credentials)
    return [
        (gettext("Files"), number_text(counts.objects)),
        (gettext("Containers"), number_text(counts.containers)),
    ]


def find_containers(credentials: Credentials, text: str, limit: int) -> list[search.Hit]:
    """Return the user's containers whose names have *text* in them."""
    found = finding.containers(credentials, text=text, limit=limit)
    return [search.Hit(match.container, copy=match.container) for match in found]


def find_objects(credentials: Credentials, text: str, limit: int) -> list[search.Hit]:
    """Return the user's objects whose names have *text* in them, with the address that opens each."""
    root = urlsplit(settings.PITHOS_BASE_URL).path.rstrip("/")
    return [
        search.Hit(
            match.name,
            detail=f"{match.container}, {size_text(match.size)}",
            url=quote(f"{root}/ui/view/{credentials.user_id}/{match.container}/{match.name}"),
            copy=f"{match.container}/{match.name}",
        )
        for match in finding.objects(credentials, text=text, limit=limit)
    ]
