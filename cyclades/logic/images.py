"""Images: objects of the store that carry metadata of one domain (image contract 2)."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pithos import public as pithos
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, NotFound

DOMAIN = "plankton"
PREFIX = "plankton:"
PROPERTY_PREFIX = "plankton:property:"
PUBLIC = "*"

EPOCH = dt.datetime.fromtimestamp(0, tz=dt.UTC)

AVAILABLE, UNAVAILABLE, ERROR, DELETED, UNKNOWN = "AVAILABLE", "UNAVAILABLE", "ERROR", "DELETED", "UNKNOWN"
SAVING = "SAVING"

#: What the store says of an object's map.
_MAP_STATUS = {1: AVAILABLE, 0: UNAVAILABLE, -1: ERROR}


@dataclass(frozen=True)
class Image:
    """A registered image; ``version`` is that of the object, ``size`` in bytes.

    ``users`` are its readers without ``*`` and without its owner.
    """

    id: str
    version: int
    name: str
    status: str
    owner: str
    location: str
    mapfile: str
    size: int
    disk_format: str | None
    properties: dict[str, str]
    is_snapshot: bool
    is_public: bool = False
    container_format: str | None = None
    checksum: str = ""
    created_at: dt.datetime = EPOCH
    updated_at: dt.datetime = EPOCH
    users: tuple[str, ...] = ()
    description: str | None = None
    volume_id: str | None = None
    backend_info: str | None = None
    store: str = "pithos"
    stored: Mapping[str, str] = field(default_factory=dict, repr=False)
    md5: str = ""

    @property
    def tags(self) -> list[str]:
        """Return the image's tags, sorted."""
        try:
            found = json.loads(self.stored.get(f"{PREFIX}tags") or "[]")
        except ValueError:
            return []
        return sorted(str(tag) for tag in found) if isinstance(found, list) else []

    @property
    def is_protected(self) -> bool:
        """Tell whether the image may not be deleted."""
        return self.stored.get(f"{PREFIX}protected") == "true"

    @property
    def is_hidden(self) -> bool:
        """Tell whether lists leave the image out unless they are asked for it."""
        return self.stored.get(f"{PREFIX}os_hidden") == "true"

    @property
    def is_upload(self) -> bool:
        """Tell whether the image's file was made by the image service, and goes with the image."""
        # A copy of the file carries the mark of the original.
        return self.stored.get(f"{PREFIX}uploaded") == self.id

    @property
    def min_disk(self) -> int:
        """Return the smallest disk, in GiB, that a server of this image may have."""
        return _stored_int(self.stored.get(f"{PREFIX}min_disk"))

    @property
    def min_ram(self) -> int:
        """Return the least memory, in MiB, that a server of this image may have."""
        return _stored_int(self.stored.get(f"{PREFIX}min_ram"))

    @property
    def shown_status(self) -> str:
        """Return the status in the words of the headers and of compute's clients."""
        if self.status == UNAVAILABLE:
            return SAVING
        return self.status if self.status in (AVAILABLE, ERROR, DELETED) else UNKNOWN


def image_of(info: pithos.ObjectInfo) -> Image | None:
    """Return the image that an object is; ``None`` when it has no image name."""
    metadata = info.metadata
    name = metadata.get(f"{PREFIX}name")
    if not name:
        return None
    updated = _moment(info.version_timestamp)
    return Image(
        id=info.uuid,
        version=info.version,
        name=name,
        status=_status(info),
        owner=info.account,
        location=location_of(info.account, info.container, info.name),
        mapfile=info.mapfile or "",
        checksum=info.mapfile or "" if info.is_snapshot else info.hash,
        size=info.size,
        disk_format=metadata.get(f"{PREFIX}disk_format"),
        container_format=metadata.get(f"{PREFIX}container_format"),
        properties={
            key.removeprefix(PROPERTY_PREFIX): value
            for key, value in metadata.items()
            if key.startswith(PROPERTY_PREFIX)
        },
        is_public=PUBLIC in info.readers,
        is_snapshot=info.is_snapshot,
        created_at=_stored_moment(metadata.get(f"{PREFIX}created_at")) or updated,
        updated_at=updated,
        users=tuple(sorted(set(info.readers) - {PUBLIC, info.account})),
        description=metadata.get(f"{PREFIX}description"),
        volume_id=metadata.get(f"{PREFIX}volume_id"),
        backend_info=metadata.get(f"{PREFIX}backend_info"),
        stored=dict(metadata),
        md5=info.checksum,
    )


def _stored_int(text: str | None) -> int:
    """Return a stored number; clients of other dialects may have written anything there."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def location_of(account: str, container: str, path: str) -> str:
    """Return an object's location, percent-encoded but for the slashes of its path."""
    return f"pithos://{quote(account, safe='')}/{quote(container, safe='')}/{quote(path, safe='/')}"


def _status(info: pithos.ObjectInfo) -> str:
    """Return the state of the object's map; what a client set can't hide that it is not there."""
    status = _MAP_STATUS.get(info.available, UNKNOWN)
    if status == AVAILABLE:
        return info.metadata.get(f"{PREFIX}status") or status
    return status


def _moment(timestamp: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(float(timestamp), tz=dt.UTC)


def _stored_moment(text: str | None) -> dt.datetime | None:
    """Return the unix time that a registration stored; clients may have written anything there."""
    try:
        return _moment(float(text or ""))
    except (ValueError, OverflowError, OSError):
        return None


def check_id(image_id: str) -> str:
    """Return an image id in its usual notation; raises ``BadRequest``."""
    try:
        return str(uuid.UUID(image_id))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadRequest(f"Invalid image id '{str(image_id)[:64]}'") from error


def get_image(credentials: Credentials, image_id: str) -> Image:
    """Return an image that the user may read.

    Raises ``BadRequest`` for what is no uuid, ``NotFound`` for an unknown object or one that is no
    image, ``Forbidden`` without permission.
    """
    return find_image(acting_on_store(credentials), image_id)


def find_image(credentials: Credentials | None, image_id: str) -> Image:
    """Return an image; without credentials permissions are not looked at. Raises like ``get_image``."""
    image_id = check_id(image_id)
    try:
        info = pithos.get_object(credentials, uuid=image_id, domain=DOMAIN)
    except NotFound as error:
        raise NotFound(f"Image '{image_id}' does not exist.") from error
    image = image_of(info)
    if image is None:
        raise NotFound(f"Image '{image_id}' does not exist.")
    return image


def protect(image: Image) -> None:
    """Keep the image's blocks, which a node is about to read, from being collected for a while.

    Raises ``ServiceUnavailable`` if one is missing: better now than on the node.
    """
    pithos.protect_blocks(image.mapfile or None, size=image.size)


def acting_on_store(credentials: Credentials) -> Credentials | None:
    """Return the credentials for the store: administrators' commands are not bound by permissions."""
    return None if credentials.is_admin else credentials


@dataclass(frozen=True)
class ImageFilter:
    """Which images a list shows, and how; ``size_min`` and ``size_max`` are inclusive, in bytes.

    An image must have one of ``names``, if there are any.
    """

    names: frozenset[str] = frozenset()
    container_format: str | None = None
    disk_format: str | None = None
    status: str | None = None
    size_min: int | None = None
    size_max: int | None = None
    updated_since: dt.datetime | None = None
    sort_key: str = "created_at"
    descending: bool = True
    limit: int | None = None
    marker: str | None = None

    def admits(self, image: Image) -> bool:
        """Tell whether *image* is to be shown."""
        if self.names and image.name not in self.names:
            return False
        for name in ("container_format", "disk_format"):
            wanted = getattr(self, name)
            if wanted is not None and getattr(image, name) != wanted:
                return False
        if self.status is not None and self.status.upper() not in (image.status.upper(), image.shown_status):
            return False
        if self.updated_since is not None and image.updated_at < self.updated_since:
            return False
        low, high = self.size_min, self.size_max
        return (low is None or image.size >= low) and (high is None or image.size <= high)


SORT_KEYS = frozenset(
    {"id", "name", "status", "size", "disk_format", "container_format", "created_at", "updated_at"}
)


def list_images(credentials: Credentials, filters: ImageFilter | None = None) -> list[Image]:
    """Return all images that the user owns or that are shared with them explicitly, filtered and sorted.

    The number of queries does not depend on the number of images.
    """
    filters = filters or ImageFilter()
    found = pithos.list_domain_objects(acting_on_store(credentials), domain=DOMAIN)
    images = [image for image in map(image_of, found) if image is not None and filters.admits(image)]
    images.sort(key=lambda image: _sort_value(image, filters.sort_key), reverse=filters.descending)
    if filters.marker is not None:
        places = [place for place, image in enumerate(images) if image.id == filters.marker]
        if not places:
            raise BadRequest("The 'marker' is none of the images")
        images = images[places[0] + 1 :]
    return images if filters.limit is None else images[: filters.limit]


def _sort_value(image: Image, key: str) -> tuple[Any, str]:
    value = getattr(image, key)
    # Formats may be missing; the rest of a key has one type.
    return ("" if value is None else value, image.id)
