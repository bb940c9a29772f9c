"""Reading objects: their state, their data, their versions (object-storage contract 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db.models import Q

from pithos.blocks.opened import block_store
from pithos.hashing import block_count
from pithos.logic import metadata, permissions, public_links, shown, static_manifests
from pithos.logic.metadata import USER_DOMAIN
from pithos.logic.nodes import Address, find_current, find_version, get_container, not_over, parse_serial
from pithos.logic.permissions import Sharing
from pithos.models import Availability, Cluster, Node, Version
from pithos.paths import prefix_end
from pithos.streams import read_range, store_faults
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound

MANIFEST = "X-Object-Manifest"
#: ``Part.bytes`` hides the type's own name in its class.
Data = bytes


@dataclass(frozen=True)
class Part:
    """A stretch of an object's data: a block map and its size in bytes, or ``data`` that has no blocks.

    ``offset`` and ``length`` choose a part of it; None means all.
    """

    mapfile: str | None
    size: int
    offset: int = 0
    length: int | None = None
    data: Data | None = None

    @property
    def bytes(self) -> int:
        """Return how many bytes this adds to the object."""
        return self.size if self.length is None else self.length


@dataclass(frozen=True)
class ObjectView:
    """An object as one caller sees it.

    ``size`` in bytes and ``etag`` are of what a GET sends; for a manifest that is its ``segments``, or of a
    static one the ``listed`` objects.
    """

    address: Address
    version: Version
    metadata: dict[str, str]
    sharing: Sharing
    shared_by: str | None
    allowed_to: str | None
    public_id: str | None
    last_modified: datetime
    size: int
    etag: str
    parts: tuple[Part, ...]
    segments: tuple[Version, ...] | None = None
    listed: static_manifests.Sent | None = None


def etag_of(version: Version) -> str:
    """Return the entity tag of a version: the MD5 where the settings ask for it, else the object hash."""
    if settings.PITHOS_UPDATE_MD5 and version.checksum:
        return version.checksum
    return version.hash or ""


def address_of(version: Version) -> Address:
    """Return where a version's object is; its node, container and account must be loaded."""
    container = version.node.parent
    assert container is not None and container.parent is not None
    return Address(container.parent.name, container.name, version.node.name)


def show_object(
    credentials: Credentials, *, address: Address, serial: str | None = None, expand: bool | None = True
) -> ObjectView:
    """Return an object, or one version of it, for its owner or somebody with a grant.

    ``serial`` is the wanted version as the client wrote it; ``expand`` resolves a manifest and fails if that
    cannot be done, which HEAD does not want; None leaves manifests as they are. Raises Forbidden, NotFound.
    """
    found = shown.find(address) if serial is None else None
    if found is None and serial is None and permissions.is_owner(credentials, address.account):
        raise NotFound("The object does not exist.")
    effective = found.effective if found is not None else permissions.effective(address)
    access = permissions.read_access(credentials, address, effective.sharing)
    if access is None:
        raise Forbidden("You may not read this object.")
    if found is not None:
        version, view = found.version, _view(address, found.version, found.version.mtime, found.metadata)
    else:
        version, modified = _find(address, serial)
        view = _view(address, version, modified)
    own = version.node if serial is None else None
    link = getattr(own, "public_link", None) if own is not None and access == "owner" else None
    shared = serial is None and bool(effective.sharing)
    return _with_sharing(
        view if expand is None else _expanded(credentials, view, strict=expand),
        sharing=effective.sharing if shared else Sharing(),
        shared_by=effective.name if shared and effective.name != address.name else None,
        allowed_to=access if shared and access != "owner" else None,
        public_id=link.url if link is not None else None,
    )


def show_public(*, public_id: str, expand: bool = True) -> ObjectView:
    """Return a published object for anybody; raise NotFound for whatever is wrong."""
    version = public_links.find(public_id)
    view = _view(address_of(version), version, version.mtime)
    try:
        return _expanded(Credentials(user_id=permissions.EVERYBODY), view, strict=expand)
    except (BadRequest, Forbidden):
        raise NotFound("There is no such public object.") from None


def list_versions(credentials: Credentials, *, address: Address) -> list[tuple[int, datetime]]:
    """Return number and time of every version of a path, oldest first, without deletion marks."""
    permissions.require_read(credentials, address)
    rows = list(
        Version.objects.filter(
            node__name=address.name,
            node__parent__name=address.container,
            node__parent__parent__name=address.account,
        )
        .exclude(hash=None)
        .order_by("pk")
        .values_list("pk", "mtime")
    )
    if not rows:
        raise NotFound("The object does not exist.")
    return rows


def digests_of(version: Version) -> list[bytes]:
    """Return the raw digests of a version's own blocks; raise Forbidden while a snapshot is not ready."""
    require_available(version)
    return load_map(Part(version.mapfile, version.size))


def load_map(part: Part) -> list[bytes]:
    """Return the raw digests of one stretch of data."""
    store = block_store()
    with store_faults():
        return store.get_map(part.mapfile, count=block_count(part.size, store.block_size))


def require_available(version: Version) -> None:
    """Raise unless the version's data can be read."""
    if version.available == Availability.PENDING:
        raise Forbidden("The snapshot is not ready yet.")
    if version.available != Availability.READY:
        raise BadRequest("The snapshot is broken.")


def read(view: ObjectView, offset: int, length: int) -> Iterator[bytes]:
    """Yield ``length`` bytes of the object from ``offset``; maps are read when their turn comes."""
    store = block_store()
    start = 0
    for part in view.parts:
        first = max(offset, start)
        last = min(offset + length, start + part.bytes)
        begin = part.offset + first - start
        if first < last and part.data is not None:
            yield part.data[begin : begin + last - first]
        elif first < last:
            yield from read_range(store, load_map(part), begin, last - first)
        start += part.bytes


def _find(address: Address, serial: str | None) -> tuple[Version, datetime]:
    if serial is None:
        version = find_current(address)
        if version is None:
            raise NotFound("The object does not exist.")
        return version, version.mtime
    number = parse_serial(serial)
    version = find_version(address, number)
    if version is None:
        raise NotFound("The object has no such version.")
    latest = Version.objects.filter(node=version.node).exclude(cluster=Cluster.HISTORY).values_list("mtime")
    return version, latest[0][0]


def _view(
    address: Address, version: Version, modified: datetime, items: dict[str, str] | None = None
) -> ObjectView:
    """Return an object as its owner sees it; ``items`` is its user metadata, None to look it up."""
    return ObjectView(
        address=address,
        version=version,
        metadata=metadata.of_version(version).get(USER_DOMAIN, {}) if items is None else items,
        sharing=Sharing(),
        shared_by=None,
        allowed_to=None,
        public_id=None,
        last_modified=modified,
        size=version.size,
        etag=etag_of(version),
        parts=(Part(version.mapfile, version.size),),
    )


def _with_sharing(view: ObjectView, **fields: object) -> ObjectView:
    return replace(view, **fields)  # type: ignore[arg-type]


def _expanded(credentials: Credentials, view: ObjectView, *, strict: bool) -> ObjectView:
    """Replace a manifest's data by that of its segments, each checked with the requester's rights."""
    if view.version.is_static_manifest:
        return _listed(credentials, view, strict=strict)
    manifest = view.metadata.get(MANIFEST)
    if manifest is None:
        return view
    try:
        segments = _segments(credentials, view.address.account, manifest)
    except (BadRequest, NotFound):
        if strict:
            raise
        return view
    etag = view.etag
    if settings.PITHOS_UPDATE_MD5:
        joined = "".join(etag_of(segment) for segment in segments)
        etag = hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest()
    parts = tuple(Part(segment.mapfile, segment.size) for segment in segments)
    size = sum(part.size for part in parts)
    return replace(view, parts=parts, size=size, etag=etag, segments=tuple(segments))


def _listed(credentials: Credentials, view: ObjectView, *, strict: bool) -> ObjectView:
    try:
        sent = static_manifests.expand(credentials, address=view.address, manifest=view.version)
    except (Conflict, Forbidden):
        if strict:
            raise
        return view
    parts = tuple(_part(*stretch) for stretch in static_manifests.stretches(sent.inside))
    return replace(view, parts=parts, size=sent.size, etag=f'"{sent.etag}"', listed=sent)


def _part(source: Version | bytes, offset: int, length: int) -> Part:
    if isinstance(source, bytes):
        return Part(None, len(source), offset, length, data=source)
    return Part(source.mapfile, source.size, offset, length)


def _segments(credentials: Credentials, account: str, manifest: str) -> list[Version]:
    container_name, separator, prefix = manifest.lstrip("/").partition("/")
    if not container_name or not separator or not prefix:
        raise BadRequest("X-Object-Manifest must look like container/prefix.")
    container = get_container(account, container_name)
    nodes = Node.objects.filter(parent=container, is_live=True, name__gte=prefix)
    end = prefix_end(prefix)
    if end is not None:
        nodes = nodes.filter(name__lt=end)
    everything = Version.objects.filter(not_over(), node__in=nodes, cluster=Cluster.CURRENT)
    rows = list(everything.select_related("node").order_by("node__name"))
    if not permissions.reads_all_of(credentials, account, container_name):
        seen = permissions.visible(container, permissions.holders_of(credentials.user_id)) or Q(pk__in=[])
        if credentials.user_id == permissions.EVERYBODY:
            seen |= Q(public_link__isnull=False)
        readable = set(nodes.filter(seen).values_list("pk", flat=True))
        if any(row.node_id not in readable for row in rows):
            raise Forbidden("You may not read all segments of this object.")
    for row in rows:
        require_available(row)
    return rows
