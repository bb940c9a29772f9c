"""Everything about one object, for an administrator (object-storage contract 20.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pithos.logic import metadata, permissions
from pithos.logic.domains import block_hashes
from pithos.logic.nodes import Address, find_current, find_version
from pithos.logic.objects import address_of
from pithos.logic.permissions import Sharing
from pithos.models import Cluster, Version
from synnefo.errors import NotFound


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """A version of an object and what applies to its path now.

    ``modified`` is the time of the latest version; ``shared_by`` the directory whose grants apply, None if
    they are the object's own; ``public_id`` None if it is not published.
    """

    address: Address
    version: Version
    modified: datetime
    metadata: dict[str, str]
    sharing: Sharing
    shared_by: str | None
    public_id: str | None


def by_path(address: Address, *, serial: int | None = None, domain: str) -> ObjectReport:
    """Return the report of the object at a path, or of one of its versions, deleted or not."""
    version = find_current(address) if serial is None else find_version(address, serial)
    if version is None:
        raise NotFound("There is no such object or version.")
    return _report(version, domain)


def by_uuid(uuid: str, *, serial: int | None = None, domain: str) -> ObjectReport:
    """Return the report of the current object of this id, or of one version of its path."""
    rows = Version.objects.filter(uuid=uuid, node__parent__parent__isnull=False)
    found = rows.exclude(cluster=Cluster.HISTORY).select_related("node__parent__parent").first()
    if found is None or (serial is None and found.cluster != Cluster.CURRENT):
        raise NotFound("There is no such object.")
    return by_path(address_of(found), serial=serial, domain=domain)


def hashes_of(report: ObjectReport) -> list[str]:
    """Return the hashes of the version's blocks in hexadecimal."""
    return block_hashes(report.version.mapfile, size=report.version.size)


def _report(version: Version, domain: str) -> ObjectReport:
    address = address_of(version)
    effective = permissions.effective(address)
    link = getattr(version.node, "public_link", None)
    latest = Version.objects.filter(node=version.node).exclude(cluster=Cluster.HISTORY).get()
    return ObjectReport(
        address=address,
        version=version,
        modified=latest.mtime,
        metadata=metadata.of_version(version).get(domain, {}),
        sharing=effective.sharing,
        shared_by=effective.name if effective.name not in (None, address.name) else None,
        public_id=link.url if link is not None else None,
    )
