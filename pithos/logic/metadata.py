"""Metadata of versions: reading it, and working out what a change leaves (object-storage contract 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from pithos.models import Attribute, Cluster, Node, Version
from synnefo.db import prepared
from synnefo.errors import BadRequest

USER_DOMAIN = "pithos"
_ROWS = 5000

_OF_VERSION = "SELECT domain, key, value FROM pithos_attribute WHERE version_id = %s"

Domains = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Limits:
    """How much metadata users may keep with a resource: items, and bytes of names and values, 0 for any.

    ``only`` the items whose names contain this count.
    """

    items: int
    size: int = 0
    only: str = ""


def swift_limits() -> Limits:
    """Return what Swift's clients are promised (object-storage contract 22.2); the site may give more."""
    return Limits(max(90, settings.PITHOS_RESOURCE_MAX_METADATA), size=4096, only="-Meta-")


def of_version(version: Version) -> Domains:
    """Return a version's metadata by domain. One query."""
    found: Domains = {}
    for domain, key, value in prepared.fetch_all(_OF_VERSION, [version.pk]):
        found.setdefault(domain, {})[key] = value
    return found


_OF_CONTAINER = f"""
SELECT t.key, t.value FROM pithos_version v JOIN pithos_attribute t ON t.version_id = v.id
 WHERE v.node_id = %s AND v.cluster = {Cluster.CURRENT:d} AND t.domain = '{USER_DOMAIN}'
"""  # noqa: S608  (only constants)


def of_container(container: Node) -> dict[str, str]:
    """Return a container's own metadata. One query."""
    return dict(prepared.fetch_all(_OF_CONTAINER, [container.pk]))


def of_versions(serials: Iterable[int]) -> dict[int, Domains]:
    """Return the metadata of several versions by version and domain. One query."""
    found: dict[int, Domains] = {}
    rows = Attribute.objects.filter(version_id__in=list(serials)).values_list(
        "version_id", "domain", "key", "value"
    )
    for serial, domain, key, value in rows:
        found.setdefault(serial, {}).setdefault(domain, {})[key] = value
    return found


def merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return ``old`` with ``new`` on top; an empty value removes its key."""
    return {key: value for key, value in {**old, **new}.items() if value}


def replaced(new: Mapping[str, str]) -> dict[str, str]:
    """Return ``new`` as the whole set, without empty values."""
    return {key: value for key, value in new.items() if value}


def check(items: Mapping[str, str], limits: Limits | None = None) -> None:
    """Raise BadRequest if this set of the user's items, which would be stored, is too large.

    Who changes the set asks; what is carried over was allowed when it came.
    """
    limits = limits or Limits(settings.PITHOS_RESOURCE_MAX_METADATA)
    counted = {_after(limits.only, name): value for name, value in items.items() if limits.only in name}
    if len(counted) > limits.items:
        raise BadRequest(f"There would be {len(counted)} metadata items; at most {limits.items} are allowed.")
    size = sum(len(name.encode()) + len(value.encode()) for name, value in counted.items())
    if limits.size and size > limits.size:
        raise BadRequest(
            f"Names and values of the metadata would be {size} bytes; at most {limits.size} are allowed."
        )


def _after(mark: str, name: str) -> str:
    return name.partition(mark)[2] if mark else name


def keys_in_use(container: Node) -> list[str]:
    """Return the user metadata keys that current objects of a container have, sorted.

    Steps from key to key through the index instead of reading every object's items. One query.
    """
    statement = """
        WITH RECURSIVE keys(key) AS (
            SELECT (SELECT key FROM pithos_attribute
                    WHERE parent_id = %(parent)s AND domain = %(domain)s AND is_latest
                    ORDER BY key LIMIT 1)
            UNION ALL
            SELECT (SELECT a.key FROM pithos_attribute a
                    WHERE a.parent_id = %(parent)s AND a.domain = %(domain)s AND a.is_latest
                      AND a.key > keys.key
                    ORDER BY a.key LIMIT 1)
            FROM keys WHERE keys.key IS NOT NULL
        )
        SELECT key FROM keys WHERE key IS NOT NULL LIMIT 1000
    """
    rows = prepared.fetch_all(statement, {"parent": container.pk, "domain": USER_DOMAIN})
    return [key for (key,) in rows]


def store(version: Version, node: Node, domains: Mapping[str, Mapping[str, str]]) -> None:
    """Write a new version's metadata."""
    store_all([(version, node, domains)])


def store_all(items: Iterable[tuple[Version, Node, Mapping[str, Mapping[str, str]]]]) -> None:
    """Write the metadata of new versions."""
    rows = [
        Attribute(version=version, node=node, parent_id=node.parent_id, domain=domain, key=key, value=value)
        for version, node, domains in items
        for domain, pairs in domains.items()
        for key, value in pairs.items()
    ]
    if rows:
        Attribute.objects.bulk_create(rows, batch_size=_ROWS)


def retire(version: Version) -> None:
    """Mark a version's metadata as no longer that of its node."""
    retire_all([version.pk])


def retire_all(serials: Iterable[int]) -> None:
    """Mark the metadata of versions as no longer that of their nodes."""
    Attribute.objects.filter(version__in=list(serials), is_latest=True).update(is_latest=False)
