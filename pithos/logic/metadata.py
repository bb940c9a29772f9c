"""Metadata of versions: reading it, and working out what a change leaves (object-storage contract 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import connection

from pithos.models import Attribute, Node, Version
from synnefo.errors import BadRequest

USER_DOMAIN = "pithos"
_ROWS = 5000

Domains = dict[str, dict[str, str]]


def of_version(version: Version) -> Domains:
    """Return a version's metadata by domain. One query."""
    return of_versions([version.pk]).get(version.pk, {})


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


def check_count(domains: Mapping[str, Mapping[str, str]]) -> None:
    """Raise BadRequest if any domain has too many items, counting the set that would be stored."""
    limit: int = settings.PITHOS_RESOURCE_MAX_METADATA
    for domain, items in domains.items():
        # Other domains hold what other services write; their limits are theirs.
        if domain == USER_DOMAIN and len(items) > limit:
            raise BadRequest(f"There would be {len(items)} metadata items; at most {limit} are allowed.")


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
    with connection.cursor() as cursor:
        cursor.execute(statement, {"parent": container.pk, "domain": USER_DOMAIN})
        return [row[0] for row in cursor.fetchall()]


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
