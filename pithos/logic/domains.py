"""Objects as another service sees them: found by id, with the metadata of that service's own domain.

The image service keeps what it knows of an image in a domain of its own and uses the object's grants as the
image's members (object-storage contract 20.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Q

from pithos.blocks.opened import block_store
from pithos.logic import metadata, permissions, updates
from pithos.logic.nodes import Address, find_current, latest_in, lock_container, not_over
from pithos.logic.objects import Part, address_of, load_map, require_available
from pithos.logic.permissions import Sharing
from pithos.logic.sharing import set_sharing
from pithos.logic.statistics import touch
from pithos.models import Attribute, Cluster, Grant, Node, PublicLink, Version
from pithos.streams import read_range, started, store_faults
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Forbidden, NotFound


@dataclass(frozen=True)
class ObjectInfo:
    """An object with the metadata of one domain.

    ``size`` and ``block_size`` in bytes, ``hash`` the object hash and ``checksum`` the MD5 (or empty) in
    hexadecimal, ``version_timestamp`` in epoch seconds, ``available`` 1 when the data can be read.
    """

    uuid: str
    account: str
    container: str
    name: str
    size: int
    hash: str
    checksum: str
    mapfile: str | None
    version: int
    version_timestamp: float
    modified_by: str
    content_type: str
    available: int
    is_snapshot: bool
    block_size: int
    metadata: dict[str, str] = field(default_factory=dict)
    readers: frozenset[str] = frozenset()
    writers: frozenset[str] = frozenset()


def get_object(
    credentials: Credentials | None, *, uuid: str, version: int | None = None, domain: str | None = None
) -> ObjectInfo:
    """Return the current object of this id, or one version of it; raise NotFound, Forbidden."""
    current = current_by_id(uuid)
    _require_read(credentials, current)
    found = current
    if version is not None and version != current.pk:
        rows = Version.objects.filter(pk=version, node=current.node).exclude(hash=None)
        wanted = rows.select_related("node__parent__parent").first()
        if wanted is None:
            raise NotFound("The object has no such version.")
        found = wanted
    return info_of(found, domain)


def _require_read(credentials: Credentials | None, current: Version) -> None:
    """Raise Forbidden unless the caller may read the object, which a published one lets everybody.

    Only for services: at its path it is its readers' all the same (image contract 6).
    """
    try:
        permissions.require_read(credentials, address_of(current))
    except Forbidden:
        if not PublicLink.objects.filter(node=current.node).exists():
            raise


def get_object_at(
    credentials: Credentials | None, *, address: Address, domain: str | None = None
) -> ObjectInfo:
    """Return the current object at a path; raise NotFound, Forbidden."""
    permissions.require_read(credentials, address)
    current = find_current(address)
    if current is None:
        raise NotFound("The object does not exist.")
    return info_of(current, domain)


def list_domain_objects(credentials: Credentials | None, *, domain: str) -> list[ObjectInfo]:
    """Return all current objects with metadata in ``domain`` that the caller owns or may read by a grant.

    A fixed number of queries, however many objects there are.
    """
    marked = Attribute.objects.filter(domain=domain, is_latest=True).values("version")
    rows = Version.objects.filter(not_over(), pk__in=marked, cluster=Cluster.CURRENT)
    if credentials is not None and not credentials.is_admin:
        holders = permissions.holders_of(credentials.user_id)
        granted = Grant.objects.filter(holder__in=holders).values("node")
        rows = rows.filter(
            Q(node__parent__parent__name=credentials.user_id)
            | Q(node__in=granted)
            | Q(node__in=_below_granted_directories(holders))
        )
    versions = list(rows.select_related("node__parent__parent").order_by("pk"))
    items = metadata.of_versions(version.pk for version in versions)
    grants: dict[int, list[Grant]] = {}
    for grant in Grant.objects.filter(node__in=[version.node_id for version in versions]):
        grants.setdefault(grant.node_id, []).append(grant)
    return [
        _build(
            version,
            items.get(version.pk, {}).get(domain, {}),
            permissions.sharing_of(grants.get(version.node_id, [])),
        )
        for version in versions
    ]


def _below_granted_directories(holders: frozenset[str]) -> list[int]:
    """Return the objects that a directory's grant makes readable, by container that has such a grant."""
    containers = (
        Grant.objects.filter(holder__in=holders, node__versions__cluster=Cluster.CURRENT)
        .filter(
            Q(node__versions__type__istartswith="application/directory")
            | Q(node__versions__type__istartswith="application/folder")
        )
        .values("node__parent")
        .distinct()
    )
    found: list[int] = []
    for container in Node.objects.filter(pk__in=containers):
        seen = permissions.visible(container, holders)
        if seen is not None:
            found.extend(
                Node.objects.filter(seen, parent=container, is_live=True).values_list("pk", flat=True)
            )
    return found


@retry_on_deadlock
def update_domain_metadata(
    credentials: Credentials,
    *,
    uuid: str,
    domain: str,
    items: Mapping[str, str],
    replace: bool = False,
) -> ObjectInfo:
    """Change an object's metadata in one domain: merged (an empty value removes), or replaced as a whole.

    Every other domain stays. Makes a new version. Raises NotFound, Forbidden, BadRequest.
    """
    check_items(domain, items)
    address = address_of(current_by_id(uuid))
    permissions.require_write(credentials, address)
    with atomic():
        container, current = locked_by_id(address, uuid)
        version = updates.write_metadata(
            credentials, container, current, domain, dict(items), merge=not replace
        )
        audit.record(credentials, "object.metadata", f"object:{uuid}", domain=domain, version=version.pk)
    return info_of(current_by_id(uuid), domain)


@retry_on_deadlock
def update_readers(credentials: Credentials, *, uuid: str, readers: Iterable[str]) -> None:
    """Make ``readers`` (user ids, ``<account>:<group>`` or ``*``) the object's read grants; writers stay.

    Raises NotFound, and Forbidden for anybody but the owner.
    """
    address = address_of(current_by_id(uuid))
    permissions.require_owner(credentials, address.account)
    holders = frozenset(reader.lower() for reader in readers)
    if any(not holder or len(holder) > permissions.MAX_HOLDER for holder in holders):
        raise BadRequest(f"A reader must have 1 to {permissions.MAX_HOLDER} characters.")
    with atomic():
        container, current = locked_by_id(address, uuid)
        writers = permissions.sharing_of(Grant.objects.filter(node=current.node)).write
        set_sharing(current.node, Sharing(holders - writers, writers))
        touch(container, clock.now())
        audit.record(credentials, "object.share", f"object:{uuid}", readers=sorted(holders))


def open_object(
    credentials: Credentials | None, *, uuid: str, offset: int = 0, length: int | None = None
) -> Iterator[bytes]:
    """Return the object's data in pieces of up to 1 MiB; raise NotFound, Forbidden at once."""
    current = current_by_id(uuid)
    _require_read(credentials, current)
    require_available(current)
    digests = load_map(Part(current.mapfile, current.size))
    rest = max(0, current.size - offset)
    return started(read_range(block_store(), digests, offset, rest if length is None else min(length, rest)))


def block_hashes(mapfile: str | None, *, size: int) -> list[str]:
    """Return the hashes in hexadecimal of the blocks that a map of an object of ``size`` bytes lists."""
    return [digest.hex() for digest in load_map(Part(mapfile, size))]


def protect_blocks(mapfile: str | None, *, size: int) -> None:
    """Keep a map and its blocks from being collected for another grace time; raise ServiceUnavailable."""
    digests = load_map(Part(mapfile, size))
    with store_faults():
        block_store().protect_map(mapfile, digests)


def address_by_id(*, uuid: str) -> Address:
    """Return where the object of this id is; raise NotFound."""
    return address_of(current_by_id(uuid))


def public_id(*, uuid: str) -> str | None:
    """Return the public id of the object of this id, or None if it is not published."""
    return PublicLink.objects.filter(node=current_by_id(uuid).node).values_list("url", flat=True).first()


def current_by_id(uuid: str) -> Version:
    """Return the current version of the object of this id; raise NotFound."""
    rows = Version.objects.filter(
        not_over(), uuid=uuid, cluster=Cluster.CURRENT, node__parent__parent__isnull=False
    )
    version = None if "\0" in uuid else rows.select_related("node__parent__parent").first()
    if version is None:
        raise NotFound("There is no such object.")
    return version


def locked_by_id(address: Address, uuid: str) -> tuple[Node, Version]:
    """Lock the object's container and look again; raise NotFound if the object has gone."""
    container = lock_container(address.account, address.container)
    current = latest_in(container, address.name)
    if current is None or current.cluster != Cluster.CURRENT or current.uuid != uuid:
        raise NotFound("There is no such object.")
    return container, current


def check_items(domain: str, items: Mapping[str, str]) -> None:
    """Raise BadRequest for an item that cannot be stored, Forbidden for a domain that cannot exist."""
    for key, value in items.items():
        if not 0 < len(key) <= 128 or len(value) > 256 or "\0" in key + value:
            raise BadRequest(f"The metadata item {key[:128]!r} is too long or contains NUL.")
    if not 0 < len(domain) <= 256:
        raise Forbidden("There is no such metadata domain.")


def info_of(version: Version, domain: str | None) -> ObjectInfo:
    """Return what other services see of a version; its node, container and account must be loaded."""
    items = metadata.of_version(version).get(domain, {}) if domain is not None else {}
    return _build(version, items, permissions.sharing_of(Grant.objects.filter(node=version.node)))


def _build(version: Version, items: dict[str, str], sharing: Sharing) -> ObjectInfo:
    address = address_of(version)
    return ObjectInfo(
        uuid=version.uuid,
        account=address.account,
        container=address.container,
        name=address.name,
        size=version.size,
        hash=version.hash or "",
        checksum=version.checksum,
        mapfile=version.mapfile,
        version=version.pk,
        version_timestamp=version.mtime.timestamp(),
        modified_by=version.muser,
        content_type=version.type,
        available=version.available,
        is_snapshot=version.is_snapshot,
        block_size=settings.PITHOS_BACKEND_BLOCK_SIZE,
        metadata=items,
        readers=sharing.read,
        writers=sharing.write,
    )
