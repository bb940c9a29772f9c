"""Images that are announced first and uploaded then (image contract 11).

Until its data is there an image is a row that only its owner sees; then it becomes an object of the same id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from cyclades.logic import image_changes, images
from cyclades.logic.image_changes import ImageFields, Location
from cyclades.logic.images import PREFIX, PROPERTY_PREFIX, Image
from cyclades.logic.store_faults import plain_faults
from cyclades.models import QueuedImage
from pithos import public as pithos
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, lock_one, retry_on_deadlock
from synnefo.errors import BadRequest, Conflict, Forbidden, NotFound, OverLimit, RequestTooLarge

QUEUED = "QUEUED"
#: A user has at most this many images without data.
MAX_QUEUED = 100
#: What registering adds to the metadata that an announced image has.
_ADDED_LATER = {f"{PREFIX}created_at": "0", f"{PREFIX}uploaded": "0"}
#: An upload that lasts longer than this was left behind by a worker that died.
_UPLOAD_LIMIT = timedelta(hours=12)


def create(credentials: Credentials, *, fields: ImageFields, image_id: str | None = None) -> Image:
    """Announce an image, whose data is to be uploaded; return it.

    Raises ``BadRequest``, ``Conflict`` for an id that is taken, ``OverLimit`` with too many without data.
    """
    image_changes.check_formats(fields)
    wanted = uuid.UUID(images.check_id(image_id)) if image_id else uuid.uuid4()
    name = fields.name or f"image-{wanted}"
    items = _stored_fields(fields) | {f"{PREFIX}name": name}
    image_changes.check_items(_ADDED_LATER, items | _prefixed(fields.properties))
    if image_id and _is_taken(str(wanted)):
        raise Conflict(f"There is an image '{wanted}' already.")
    if QueuedImage.objects.filter(owner=credentials.user_id).count() >= MAX_QUEUED:
        raise OverLimit(f"You have {MAX_QUEUED} images without data. Upload or delete them first.")
    with atomic():
        row, is_new = QueuedImage.objects.get_or_create(
            id=wanted,
            defaults={
                "owner": credentials.user_id,
                "name": name,
                "is_public": bool(fields.is_public),
                "fields": items,
                "properties": {key: value for key, value in fields.properties.items() if value},
            },
        )
        if not is_new:
            raise Conflict(f"There is an image '{wanted}' already.")
        audit.record(credentials, "image.queue", f"image:{row.pk}")
    return _image_of(row)


def _is_taken(image_id: str) -> bool:
    if QueuedImage.objects.filter(pk=image_id).exists():
        return True
    try:
        pithos.get_object(None, uuid=image_id)
    except NotFound:
        return False
    return True


def _stored_fields(fields: ImageFields) -> dict[str, str]:
    values = {
        "disk_format": fields.disk_format or settings.DEFAULT_DISK_FORMAT,
        "container_format": fields.container_format or settings.DEFAULT_CONTAINER_FORMAT,
        **fields.extras,
    }
    return {f"{PREFIX}{key}": value for key, value in values.items() if value}


def _prefixed(properties: Mapping[str, str]) -> dict[str, str]:
    return {f"{PROPERTY_PREFIX}{key}": value for key, value in properties.items()}


def _image_of(row: QueuedImage) -> Image:
    return Image(
        id=str(row.pk),
        version=0,
        name=row.name,
        status=images.UNAVAILABLE if row.upload_started else QUEUED,
        owner=row.owner,
        location="",
        mapfile="",
        size=0,
        disk_format=row.fields.get(f"{PREFIX}disk_format"),
        container_format=row.fields.get(f"{PREFIX}container_format"),
        properties=dict(row.properties),
        is_snapshot=False,
        is_public=row.is_public,
        created_at=row.created,
        updated_at=row.updated,
        stored={**row.fields, **_prefixed(row.properties)},
    )


def list_own(credentials: Credentials) -> list[Image]:
    """Return the user's images without data."""
    return [_image_of(row) for row in QueuedImage.objects.filter(owner=credentials.user_id)]


def find(credentials: Credentials, *, image_id: str) -> Image:
    """Return an image, with data or without; raises ``BadRequest``, ``NotFound`` and ``Forbidden``."""
    image_id = images.check_id(image_id)
    row = QueuedImage.objects.filter(pk=image_id, owner=credentials.user_id).first()
    return images.get_image(credentials, image_id) if row is None else _image_of(row)


@retry_on_deadlock
def update(credentials: Credentials, *, image_id: str, fields: ImageFields) -> Image:
    """Change an image, with data or without; raises like ``image_changes.update``."""
    image_changes.check_formats(fields)
    with atomic():
        row = _locked(credentials, image_id)
        if row is None:
            return image_changes.update(credentials, image_id=image_id, fields=fields)
        _change(row, fields)
        image_changes.check_items(_ADDED_LATER, row.fields | _prefixed(row.properties))
        row.save()
        audit.record(credentials, "image.update", f"image:{row.pk}")
    return _image_of(row)


def _change(row: QueuedImage, fields: ImageFields) -> None:
    row.name = fields.name or row.name
    if fields.is_public is not None:
        row.is_public = fields.is_public
    given = {"name": row.name, "disk_format": fields.disk_format, "container_format": fields.container_format}
    changes = {key: value for key, value in given.items() if value} | dict(fields.extras)
    merged = row.fields | {f"{PREFIX}{key}": value for key, value in changes.items()}
    row.fields = {key: value for key, value in merged.items() if value}
    kept = {key: value for key, value in row.properties.items() if key not in fields.removed_properties}
    row.properties = {key: value for key, value in {**kept, **fields.properties}.items() if value}


def _locked(credentials: Credentials, image_id: str) -> QueuedImage | None:
    try:
        return lock_one(QueuedImage.objects.filter(pk=images.check_id(image_id), owner=credentials.user_id))
    except QueuedImage.DoesNotExist:
        return None


@retry_on_deadlock
def delete(credentials: Credentials, *, image_id: str) -> None:
    """Delete an image, with data or without; raises like ``image_changes.delete``."""
    with atomic():
        row = _locked(credentials, image_id)
        if row is None:
            image_changes.delete(credentials, image_id=image_id)
            return
        if _image_of(row).is_protected:
            raise Forbidden("The image is protected. Take its protection away first.")
        row.delete()
        audit.record(credentials, "image.delete", f"image:{image_id}")


def upload(
    credentials: Credentials, *, image_id: str, pieces: Iterable[bytes], size: int | None = None
) -> Image:
    """Store an announced image's data, which comes in *pieces*, and make the image of it.

    ``size``: the bytes to come, as far as the client says. Nothing is locked while they come. Raises
    ``Conflict`` unless the image waits for its data, ``RequestTooLarge``, ``OverLimit``; the image waits
    again after a failure.
    """
    limit: int = settings.MAX_IMAGE_UPLOAD_SIZE
    if size is not None and size > limit:
        raise RequestTooLarge(f"The image has {size} bytes; at most {limit} are allowed.")
    row = _begin(credentials, image_id)
    try:
        data = pithos.store_data(_limited(pieces, limit))
        with plain_faults():
            return _finish(credentials, row, data)
    finally:
        # Where the upload succeeded there is no row any more.
        QueuedImage.objects.filter(pk=row.pk, upload_started=row.upload_started).update(upload_started=None)


def _begin(credentials: Credentials, image_id: str) -> QueuedImage:
    image = find(credentials, image_id=image_id)
    now = clock.now()
    free = Q(upload_started=None) | Q(upload_started__lt=now - _UPLOAD_LIMIT)
    waiting = QueuedImage.objects.filter(free, pk=image.id, owner=credentials.user_id)
    if not waiting.update(upload_started=now, updated=now):
        raise Conflict(f"Image '{image.id}' does not wait for its data.")
    return QueuedImage.objects.get(pk=image.id)


def _limited(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise RequestTooLarge(f"An image has at most {limit} bytes.")
        yield piece


@retry_on_deadlock
def _finish(credentials: Credentials, begun: QueuedImage, data: pithos.Content) -> Image:
    """Make object and image at once; what was changed of the announced image meanwhile counts."""
    with atomic():
        row = _locked(credentials, str(begun.pk))
        if row is None or row.upload_started != begun.upload_started:
            raise NotFound(f"Image '{begun.pk}' does not exist any more.")
        if not data.size:
            raise BadRequest("An image has at least one byte.")
        place = Location(row.owner, settings.DEFAULT_PLANKTON_CONTAINER, _path(row))
        pithos.create_object(
            credentials,
            account=place.account,
            container=place.container,
            name=place.path,
            data=data,
            uuid=str(row.pk),
        )
        fields = ImageFields(
            name=row.name,
            disk_format=row.fields.get(f"{PREFIX}disk_format"),
            container_format=row.fields.get(f"{PREFIX}container_format"),
            is_public=row.is_public,
            properties=row.properties,
        )
        image_changes.register(credentials, location=place, fields=fields)
        known = {f"{PREFIX}{name}" for name in ("name", "disk_format", "container_format")}
        extras = {k.removeprefix(PREFIX): v for k, v in row.fields.items() if k not in known}
        image = image_changes.update(
            credentials, image_id=str(row.pk), fields=ImageFields(extras=extras | {"uploaded": str(row.pk)})
        )
        row.delete()
    return replace(image, created_at=row.created)


def _path(row: QueuedImage) -> str:
    """Return the name of the image's file: readable, unique, and no folder's."""
    return f"{row.name.replace('/', '%2F')}-{row.pk}"
