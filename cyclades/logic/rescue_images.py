"""The rescue images an administrator offers (administrator's contract 4.3)."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass, fields, replace
from urllib.parse import urlsplit

from django.db.models import Q, QuerySet

from cyclades.models import RescueImage, Server, Task
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, Conflict, NotFound

_HEAD_SECONDS = 10.0
_TEXT_LENGTH = 256


@dataclass(frozen=True)
class ImageValues:
    """What to set of a rescue image; ``None`` leaves a property as it is."""

    name: str | None = None
    location: str | None = None
    location_type: str | None = None
    os: str | None = None
    os_family: str | None = None
    target_os: str | None = None
    target_os_family: str | None = None
    is_default: bool | None = None
    deleted: bool | None = None

    def given(self) -> dict[str, str | bool]:
        """Return the properties to set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def servers_using(image: RescueImage) -> QuerySet[Server]:
    """Return the servers that boot *image* or were last told to."""
    return Server.objects.filter(rescue_image=image, deleted=False).filter(
        Q(rescue=True) | Q(action=Task.RESCUE)
    )


def check(values: ImageValues) -> None:
    """Raise ``BadRequest`` for values that can't be; a URL is asked for by HEAD and must answer 200."""
    for name, value in values.given().items():
        if isinstance(value, str) and name != "location" and len(value) > _TEXT_LENGTH:
            raise BadRequest(f"'{name}' is longer than {_TEXT_LENGTH} characters")
    if values.location is not None:
        _check_location(values.location, values.location_type or RescueImage.LocationType.FILE)


def _check_location(location: str, kind: str) -> None:
    if kind == RescueImage.LocationType.FILE:
        if not location or location.startswith("/") or ".." in location.split("/"):
            raise BadRequest("The location of a file is its path below RESCUE_IMAGE_PATH")
        return
    if urlsplit(location).scheme not in ("http", "https"):
        raise BadRequest("The location must be an http or https URL")
    request = urllib.request.Request(location, method="HEAD")  # noqa: S310  (the scheme was checked)
    try:
        with urllib.request.urlopen(request, timeout=_HEAD_SECONDS) as answer:  # noqa: S310
            status = answer.status
    except (urllib.error.URLError, OSError, ValueError, http.client.HTTPException) as error:
        raise BadRequest(f"{location} does not answer: {error}") from error
    if status != 200:
        raise BadRequest(f"{location} answers {status}, not 200")


def create(credentials: Credentials, *, values: ImageValues) -> RescueImage:
    """Add a rescue image; a new default takes the place of the old one. Raises ``BadRequest``."""
    check(values)
    if not values.location:
        raise BadRequest("'location' is mandatory")
    with locks.atomic():
        if values.is_default:
            _demote_default()
        given = {"name": values.location[:_TEXT_LENGTH], **values.given()}
        image = RescueImage.objects.create(**given)
        audit.record(credentials, "rescue_image.create", f"rescue_image:{image.pk}")
    return image


def modify(credentials: Credentials, *, image_id: int, values: ImageValues) -> RescueImage:
    """Change a rescue image.

    Raises ``NotFound``, ``BadRequest`` (values) and ``Conflict``: the default can only be taken over by
    another image, and an image in use keeps its location.
    """
    known = find(image_id)
    given = values.given()
    if values.location is not None or values.location_type is not None:
        location = known.location if values.location is None else values.location
        _check_location(location, values.location_type or known.location_type)
    check(replace(values, location=None))
    with locks.atomic():
        image = locks.lock_one(RescueImage.objects.filter(pk=image_id))
        _refuse_change(image, values)
        if values.is_default and not image.is_default:
            _demote_default()
        for name, value in given.items():
            setattr(image, name, value)
        image.save()
        audit.record(credentials, "rescue_image.modify", f"rescue_image:{image_id}", changed=sorted(given))
    return image


def _refuse_change(image: RescueImage, values: ImageValues) -> None:
    if image.is_default and (values.is_default is False or values.deleted):
        raise Conflict("The default rescue image can only be replaced: make another one the default first")
    moved = values.location is not None or values.location_type is not None or values.deleted
    if moved and servers_using(image).exists():
        raise Conflict(f"Rescue image {image.pk} is in use by servers")


def remove(credentials: Credentials, *, image_id: int, force: bool = False) -> None:
    """Mark a rescue image as deleted; *force* even when servers use it. Raises ``NotFound``, ``Conflict``."""
    with locks.atomic():
        find(image_id)
        image = locks.lock_one(RescueImage.objects.filter(pk=image_id))
        if image.is_default and not force:
            raise Conflict("The default rescue image can't be removed: make another one the default first")
        if servers_using(image).exists() and not force:
            raise Conflict(f"Rescue image {image_id} is in use by servers")
        image.deleted = True
        image.is_default = False
        image.save()
        audit.record(credentials, "rescue_image.remove", f"rescue_image:{image_id}")


def find(image_id: int) -> RescueImage:
    """Return a rescue image, removed or not; raises ``NotFound``."""
    image = RescueImage.objects.filter(pk=image_id).first()
    if image is None:
        raise NotFound(
            f"Rescue image with ID {image_id} does not exist. "
            "Use rescue-image-list to find out available rescue image IDs."
        )
    return image


def _demote_default() -> None:
    RescueImage.objects.filter(is_default=True).update(is_default=False)
