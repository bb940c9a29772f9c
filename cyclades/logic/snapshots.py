"""Snapshots: copies of volumes kept in the object store, each of them an image (volume contract 9)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from cyclades.ganeti import snapshot_jobs
from cyclades.logic import image_changes, images
from cyclades.logic.image_changes import ImageFields
from cyclades.logic.images import DOMAIN, PREFIX, PROPERTY_PREFIX, Image
from cyclades.logic.store_faults import plain_faults
from cyclades.logic.visibility import visible_volumes
from cyclades.models import Server, SnapshotJob, Volume, VolumeStatus
from pithos import public as pithos
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, NotImplementedFault, WrongState

CONTAINER = "snapshots"
MAX_TEXT = 255
_GIB = 1 << 30
#: What the job adds to the metadata.
_ADDED_LATER = {f"{PREFIX}backend_info": "0"}
#: What of a server's metadata a snapshot of its root volume keeps.
_SERVER_KEYS = ("OS", "users")


@dataclass(frozen=True)
class SnapshotRequest:
    """What a user wants of a new snapshot."""

    volume_id: int
    name: str | None = None
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def check_enabled(credentials: Credentials) -> None:
    """Raise unless the user may use snapshots: ``BadRequest`` where there are none, else 501."""
    allowed = settings.CYCLADES_SNAPSHOTS_ENABLED
    if allowed is False:
        raise BadRequest("Snapshots are not offered here.")
    if allowed is True or credentials.is_admin:
        return
    if not credentials.roles & set(allowed):
        raise NotImplementedFault("Snapshots are not offered to you.")


def create(credentials: Credentials, *, request: SnapshotRequest) -> Image:
    """Begin a snapshot of a volume; its data follows. Return it as an image.

    Raises ``BadRequest`` for a volume that can't be copied or metadata that can't be kept, ``OverLimit``.
    """
    check_enabled(credentials)
    name = _check_text(request.name or f"Snapshot of volume '{request.volume_id}'", "name")
    _check_text(request.description, "description")
    volume, mapfile = _reserve(credentials, request.volume_id)
    items = _metadata(volume, name, request)
    image_changes.check_items(_ADDED_LATER, items)
    owner = credentials.user_id or volume.userid
    acting = Credentials(user_id=owner) if credentials.is_admin else credentials
    with plain_faults(), atomic():
        snapshot_id = _register(acting, owner, name, mapfile, volume.size * _GIB, items)
        job = snapshot_jobs.begin(snapshot_id=snapshot_id, volume=volume)
        info = json.dumps({"ganeti_job_id": job.pk, "ganeti_backend_id": job.backend_id})
        found = pithos.update_domain_metadata(
            acting, uuid=snapshot_id, domain=DOMAIN, metadata={f"{PREFIX}backend_info": info}
        )
        audit.record(credentials, "snapshot.create", f"snapshot:{snapshot_id}", volume=volume.pk)
    image = images.image_of(found)
    assert image is not None
    return image


def _check_text(text: str, what: str) -> str:
    if len(text) > MAX_TEXT or "\0" in text:
        raise BadRequest(f"The {what} of a snapshot has at most {MAX_TEXT} characters and no null ones")
    return text


@retry_on_deadlock
def _reserve(credentials: Credentials, volume_id: int) -> tuple[Volume, str]:
    """Return the volume and the name of its next snapshot's map, which is never given again."""
    with atomic():
        visible = visible_volumes(credentials).filter(pk=volume_id)
        try:
            volume = lock_one(visible.select_related("machine__backend", "volume_type"))
        except Volume.DoesNotExist:
            raise BadRequest(f"Volume {volume_id} not found") from None
        _check_volume(volume)
        Volume.objects.filter(pk=volume.pk).update(snapshot_counter=F("snapshot_counter") + 1)
        counter = volume.snapshot_counter + 1
    return volume, f"{settings.BACKEND_PREFIX_ID}snap-{volume.pk}-{counter}"


def _check_volume(volume: Volume) -> None:
    if volume.deleted:
        raise BadRequest(f"Volume {volume.pk} is deleted")
    if volume.machine is None or volume.machine.deleted or volume.machine.backend is None:
        raise BadRequest(f"Volume {volume.pk} is not attached to a server")
    if volume.status not in (VolumeStatus.AVAILABLE, VolumeStatus.IN_USE):
        raise WrongState(f"Volume {volume.pk} is {volume.status}; it can't be copied now")


def _metadata(volume: Volume, name: str, request: SnapshotRequest) -> dict[str, str]:
    """Return the image metadata of a new snapshot: restored as it was, nothing on it is changed."""
    properties = dict(request.metadata)
    if volume.index == 0 and volume.machine is not None:
        kept = volume.machine.metadata.filter(meta_key__in=_SERVER_KEYS)
        properties = {item.meta_key: item.meta_value for item in kept} | properties
    properties |= {"exclude_all_tasks": "yes", "description": request.description}
    items = {
        "name": name,
        "description": request.description,
        "volume_id": str(volume.pk),
        "disk_format": "diskdump",
        "container_format": "bare",
        "created_at": str(clock.now().timestamp()),
    }
    prefixed = {f"{PREFIX}{key}": value for key, value in items.items()}
    prefixed |= {f"{PROPERTY_PREFIX}{key}": value for key, value in properties.items()}
    return {key: value for key, value in prefixed.items() if value}


def _register(
    acting: Credentials, owner: str, name: str, mapfile: str, size: int, items: Mapping[str, str]
) -> str:
    """Make the object, by the snapshot's name where that is free; return its id."""
    safe = name.replace("/", "%2F")
    for candidate in (safe, f"{safe} ({mapfile})"):
        try:
            with transaction.atomic():
                return pithos.register_object_map(
                    acting,
                    account=owner,
                    container=CONTAINER,
                    name=candidate,
                    size=size,
                    mapfile=mapfile,
                    domain=DOMAIN,
                    metadata=items,
                )
        except Conflict:
            continue
    raise Conflict("The names for this snapshot are taken.")


def root_volume_of(server: Server) -> int:
    """Return the id of a server's system disk; raises ``BadRequest`` for a server without one."""
    volume = server.volumes.filter(deleted=False, index=0).first()
    if volume is None:
        raise BadRequest("The server has no system disk")
    return volume.pk


def get(credentials: Credentials, *, snapshot_id: str) -> Image:
    """Return a snapshot; raises ``BadRequest``, ``NotFound`` and ``Forbidden``."""
    check_enabled(credentials)
    image = images.get_image(credentials, snapshot_id)
    if not image.is_snapshot:
        raise NotFound(f"Snapshot '{image.id}' does not exist.")
    return image


def list_all(credentials: Credentials, *, updated_since: datetime | None = None) -> list[Image]:
    """Return the snapshots that the user may see, in order of id."""
    check_enabled(credentials)
    found = images.list_images(credentials)
    return sorted(
        (i for i in found if i.is_snapshot and (updated_since is None or i.updated_at >= updated_since)),
        key=lambda image: image.id,
    )


def count_own(credentials: Credentials) -> int:
    """Return how many snapshots are the user's own, none where they are not offered to the user."""
    try:
        return sum(snapshot.owner == credentials.user_id for snapshot in list_all(credentials))
    except (BadRequest, NotImplementedFault):
        return 0


def update(
    credentials: Credentials, *, snapshot_id: str, name: str | None = None, description: str | None = None
) -> Image:
    """Rename a snapshot, or describe it anew; its object keeps its name. Needs write permission."""
    if name is None and description is None:
        raise BadRequest("Nothing to change: give display_name or display_description")
    if name is not None and not _check_text(name, "name"):
        raise BadRequest("A snapshot's name must not be empty")
    snapshot = get(credentials, snapshot_id=snapshot_id)
    if description is None:
        fields = ImageFields(name=name)
    else:
        text = _check_text(description, "description")
        fields = ImageFields(name=name, extras={"description": text}, properties={"description": text})
    return image_changes.update(_writer(credentials, snapshot), image_id=snapshot.id, fields=fields)


def set_metadata(
    credentials: Credentials, *, snapshot_id: str, metadata: Mapping[str, str], replace: bool = False
) -> Image:
    """Merge or replace a snapshot's properties; nothing else of it changes. Needs write permission."""
    snapshot = get(credentials, snapshot_id=snapshot_id)
    return image_changes.update(
        _writer(credentials, snapshot),
        image_id=snapshot.id,
        fields=ImageFields(properties=metadata),
        replace_properties=replace,
    )


def remove_metadata(credentials: Credentials, *, snapshot_id: str, key: str) -> None:
    """Remove a property; one that is not there is fine."""
    snapshot = get(credentials, snapshot_id=snapshot_id)
    fields = ImageFields(removed_properties=(key,))
    image_changes.update(_writer(credentials, snapshot), image_id=snapshot.id, fields=fields)


def _writer(credentials: Credentials, snapshot: Image) -> Credentials:
    """Return who writes: administrators act for the owner, everybody else for themselves."""
    return Credentials(user_id=snapshot.owner) if credentials.is_admin else credentials


@retry_on_deadlock
def delete(credentials: Credentials, *, snapshot_id: str) -> None:
    """Delete a snapshot with its object; only the owner may, and nobody while it is protected."""
    with atomic():
        snapshot = get(credentials, snapshot_id=snapshot_id)
        if snapshot.is_protected:
            raise Forbidden("The snapshot is protected. Take its protection away first.")
        pithos.delete_object(_writer(credentials, snapshot), uuid=snapshot.id)
        SnapshotJob.objects.filter(snapshot_id=snapshot.id).delete()
        audit.record(credentials, "snapshot.delete", f"snapshot:{snapshot.id}")


def progress_of(snapshots: Sequence[Image]) -> dict[str, int]:
    """Return by id how many per cent of a disk are copied, of snapshots that are being made."""
    return snapshot_jobs.progress_of([item.id for item in snapshots if item.status == images.UNAVAILABLE])


def size_of(snapshot: Image) -> int:
    """Return the size in GiB, rounded up."""
    return -(-snapshot.size // _GIB)
