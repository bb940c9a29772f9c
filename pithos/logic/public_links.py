"""Public links: random ids under which anybody may read an object (object-storage contract 12)."""

from __future__ import annotations

import math
import secrets

from django.conf import settings

from pithos.logic.nodes import not_over
from pithos.models import Cluster, Node, PublicLink, Version
from synnefo import clock
from synnefo.errors import NotFound

_MIN_BYTES = 16


def publish(node: Node) -> PublicLink:
    """Give the node a public id unless it has one."""
    link, _ = PublicLink.objects.get_or_create(
        node=node, defaults={"url": _random_id(), "created": clock.now()}
    )
    return link


def withdraw(node: Node) -> None:
    """Take the node's public id away; publishing again gives another one."""
    PublicLink.objects.filter(node=node).delete()


def set_public(node: Node, wanted: bool | None) -> None:
    """Publish, withdraw, or leave as it is (None)."""
    if wanted is True:
        publish(node)
    elif wanted is False:
        withdraw(node)


def find(url: str) -> Version:
    """Return the current version of the published object; raise NotFound."""
    version = (
        Version.objects.filter(not_over(), node__public_link__url=url, cluster=Cluster.CURRENT)
        .select_related("node__parent__parent", "node__public_link")
        .first()
    )
    if version is None:
        raise NotFound("There is no such public object.")
    return version


def _random_id() -> str:
    """Return a random text with at least the configured number of random bytes.

    Two of them are never equal in practice (128 bits); the database's uniqueness is the last word.
    """
    alphabet: str = settings.PITHOS_PUBLIC_URL_ALPHABET
    bits = 8 * max(_MIN_BYTES, settings.PITHOS_PUBLIC_URL_SECURITY)
    length = math.ceil(bits / math.log2(len(alphabet)))
    return "".join(secrets.choice(alphabet) for _ in range(length))
