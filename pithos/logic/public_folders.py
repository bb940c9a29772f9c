"""What a published folder shows: the published objects directly below it, and nothing else.

Publishing is not inherited (object-storage contract 12). A folder's page is a table of contents of links that
their owner has given away one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pithos.logic.nodes import not_over
from pithos.logic.objects import ObjectView
from pithos.models import Cluster, Version
from pithos.paths import below, is_directory_type, prefix_end

MAX_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class PublishedChild:
    """A published object below a folder: its own name, public id and size in bytes."""

    name: str
    public_id: str
    is_folder: bool
    size: int
    modified: datetime


def is_folder(view: ObjectView) -> bool:
    """Tell whether a published object is a folder."""
    return is_directory_type(view.version.type)


def published_below(view: ObjectView) -> list[PublishedChild]:
    """Return the published objects directly below a folder, folders first, at most ``MAX_SHOWN``."""
    prefix = below(view.address.name)
    rows = Version.objects.filter(
        not_over(),
        cluster=Cluster.CURRENT,
        node__parent=view.version.node.parent_id,
        node__public_link__isnull=False,
        node__name__gt=prefix,
    )
    end = prefix_end(prefix)
    if end is not None:
        rows = rows.filter(node__name__lt=end)
    columns = ("node__name", "node__public_link__url", "type", "size", "mtime")
    found: list[PublishedChild] = []
    for name, url, content_type, size, modified in (
        rows.order_by("node__name").values_list(*columns).iterator()
    ):
        own = name[len(prefix) :].removesuffix("/")
        if own and "/" not in own:
            found.append(PublishedChild(own, url, is_directory_type(content_type), size, modified))
        if len(found) >= MAX_SHOWN:
            break
    return sorted(found, key=lambda child: not child.is_folder)
