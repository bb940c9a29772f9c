"""What a new volume may be filled from, and how big it may be (volume contract 4)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from cyclades.logic import images
from cyclades.models import VolumeType
from synnefo.credentials import Credentials
from synnefo.errors import BadRequest, Forbidden, NotFound, NotImplementedFault

IMAGE, SNAPSHOT = "image", "snapshot"
_GIB = 1 << 30


@dataclass(frozen=True)
class Source:
    """A found image or snapshot; ``size`` in bytes."""

    kind: str
    image: images.Image

    @property
    def text(self) -> str:
        """Return the source as volumes store it."""
        return f"{self.kind}:{self.image.id}"


def snapshots_enabled(credentials: Credentials) -> bool:
    """Tell whether snapshots are switched on for the user."""
    enabled = settings.CYCLADES_SNAPSHOTS_ENABLED
    if isinstance(enabled, bool):
        return enabled
    return credentials.is_admin or bool(credentials.roles & set(enabled))


def require_snapshots(credentials: Credentials) -> None:
    """Raise ``NotImplementedFault`` unless snapshots are switched on for the user."""
    if not snapshots_enabled(credentials):
        raise NotImplementedFault("Snapshots are not enabled")


def check_size(size: int) -> int:
    """Return *size*, in GiB, if a volume may have it; else ``BadRequest``."""
    maximum = settings.CYCLADES_VOLUME_MAX_SIZE
    if not 1 <= size <= maximum:
        raise BadRequest(f"'size' must be 1 to {maximum} GiB, not {size}")
    return size


def find(credentials: Credentials, *, kind: str, source_id: str, size: int) -> Source:
    """Return the image or snapshot *source_id*, which must be available and fit into *size* GiB.

    Raises ``BadRequest``.
    """
    try:
        image = images.get_image(credentials, source_id)
    except (NotFound, Forbidden) as error:
        raise BadRequest(f"{kind.capitalize()} {source_id} not found") from error
    if kind == SNAPSHOT and not image.is_snapshot:
        raise BadRequest(f"{source_id} is no snapshot")
    if image.status.upper() != "AVAILABLE":
        raise BadRequest(f"{kind.capitalize()} {image.id} is not available: its status is {image.status}")
    if image.size > size * _GIB:
        raise BadRequest(f"{kind.capitalize()} {image.id} needs {-(-image.size // _GIB)} GiB, not {size}")
    check_min_disk(image, size)
    return Source(kind, image)


def check_min_disk(image: images.Image, size: int) -> None:
    """Raise ``BadRequest`` for a disk, of *size* GiB, that is smaller than the image's owner allows."""
    if image.min_disk > size:
        raise BadRequest(f"Image {image.id} needs a disk of {image.min_disk} GiB, not {size}")


def require_cloning(volume_type: VolumeType) -> None:
    """Raise ``BadRequest`` unless the storage fills further disks from an image by itself."""
    if volume_type.provider not in settings.GANETI_CLONE_PROVIDERS:
        raise BadRequest(
            f"Volumes of type {volume_type.name} can't be made from an image or a snapshot: create a server"
        )
