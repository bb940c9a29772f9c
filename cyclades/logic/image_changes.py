"""Registering, changing and sharing images (image contract 4 and 5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from django.conf import settings

from cyclades.logic import images
from cyclades.logic.images import DOMAIN, PREFIX, PROPERTY_PREFIX, PUBLIC, Image
from cyclades.models import SnapshotJob
from pithos import public as pithos
from synnefo import audit, clock
from synnefo.credentials import Credentials
from synnefo.db.locks import atomic, retry_on_deadlock
from synnefo.errors import BadRequest, Forbidden, NotFound

#: What the store's columns leave for a key, and for its value.
MAX_KEY = 111
MAX_VALUE = 256
MAX_MEMBERS = 1000
#: The statuses that an owner may give an image.
SETTABLE_STATUSES = frozenset({images.AVAILABLE, images.ERROR, images.DELETED})

_LOCATION = re.compile(r"^pithos://([^/]+)/([^/]+)/(.+)$", re.DOTALL)
_MEMBER = re.compile(r"^[\w@.-]{1,128}(:[\w.-]{1,120})?$", re.ASCII)


@dataclass(frozen=True)
class ImageFields:
    """What a client says of an image; ``None`` leaves a field alone.

    ``size`` (bytes) and ``checksum`` are compared, never stored. ``extras`` are fields that only Glance v2
    knows (``tags``, ``protected`` ...), an empty value deletes; ``removed_properties`` go.
    ``is_joined``: the values come from headers, where a server may have joined an old and a new one.
    """

    name: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    is_public: bool | None = None
    status: str | None = None
    size: int | None = None
    checksum: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    removed_properties: Sequence[str] = ()
    is_joined: bool = False


@dataclass(frozen=True)
class Location:
    """The object that an image is made of."""

    account: str
    container: str
    path: str


def parse_location(text: str) -> Location:
    """Return the object that ``pithos://account/container/path``, percent-encoded, names."""
    match = _LOCATION.match(text)
    if match is None:
        raise BadRequest("'location' must be of the form pithos://account/container/path")
    try:
        account, container, path = (unquote_to_bytes(part).decode("utf-8") for part in match.groups())
    except UnicodeDecodeError as error:
        raise BadRequest("'location' is not percent-encoded UTF-8") from error
    if "\0" in account + container + path or "/" in account + container:
        raise BadRequest("'location' has characters that no object's name can have")
    return Location(account, container, path)


@retry_on_deadlock
def register(credentials: Credentials, *, location: Location, fields: ImageFields) -> Image:
    """Make an own object an image, or change the image it is; return it.

    Members and write permissions of an earlier registration stay. Raises ``BadRequest``, ``NotFound``
    and ``Forbidden``, also for what another user owns.
    """
    if not fields.name:
        raise BadRequest("Image 'name' parameter is required")
    check_formats(fields)
    with atomic():
        info = pithos.get_object_at(
            credentials,
            account=location.account,
            container=location.container,
            name=location.path,
            domain=DOMAIN,
        )
        if info.account != credentials.user_id:
            raise Forbidden("Only the owner of a file can register it as an image.")
        _check_content(info, fields)
        _publish(credentials, info, public=bool(fields.is_public))
        changes = {
            f"{PREFIX}name": fields.name,
            f"{PREFIX}disk_format": fields.disk_format or settings.DEFAULT_DISK_FORMAT,
            f"{PREFIX}container_format": fields.container_format or settings.DEFAULT_CONTAINER_FORMAT,
            **_property_items(fields.properties),
        }
        changes.setdefault(
            f"{PREFIX}created_at", info.metadata.get(f"{PREFIX}created_at") or str(clock.now().timestamp())
        )
        image = _store(credentials, info.uuid, info.metadata, changes)
        audit.record(credentials, "image.register", f"image:{image.id}", public=image.is_public)
    return image


def check_formats(fields: ImageFields) -> None:
    """Raise ``BadRequest`` for a format that the settings do not allow."""
    for name in ("disk_format", "container_format"):
        value, allowed = getattr(fields, name), getattr(settings, f"ALLOWED_{name.upper()}S")
        if value is not None and value not in allowed:
            raise BadRequest(f"Invalid '{name}': use one of {', '.join(allowed)}")


def _check_content(info: pithos.ObjectInfo, fields: ImageFields) -> None:
    if fields.size is not None and fields.size != info.size:
        raise BadRequest(f"Invalid 'size' field: the file has {info.size} bytes")
    if fields.checksum is not None and fields.checksum != info.hash:
        raise BadRequest("Invalid 'checksum' field: it is not the file's hash")


def _publish(credentials: Credentials, info: pithos.ObjectInfo, *, public: bool) -> None:
    wanted = set(info.readers) - {PUBLIC, info.account} | ({PUBLIC} if public else set())
    if wanted != set(info.readers):
        pithos.update_readers(credentials, uuid=info.uuid, readers=sorted(wanted))


def _property_items(properties: Mapping[str, str]) -> dict[str, str]:
    return {f"{PROPERTY_PREFIX}{key}": value for key, value in properties.items()}


def _store(
    credentials: Credentials,
    image_id: str,
    stored: Mapping[str, str],
    changes: Mapping[str, str],
    *,
    removed_properties: Sequence[str] = (),
) -> Image:
    """Merge *changes* into the domain; an empty value deletes its key."""
    wanted = {**changes, **{f"{PROPERTY_PREFIX}{key}": "" for key in removed_properties}}
    check_items(stored, wanted)
    info = pithos.update_domain_metadata(
        credentials, uuid=image_id, domain=DOMAIN, metadata=wanted, replace=False
    )
    image = images.image_of(info)
    if image is None:
        raise NotFound(f"Image '{image_id}' does not exist.")
    # Others may have added some since *stored* was read.
    _check_count(len(info.metadata))
    return image


def _check_count(count: int) -> None:
    limit = settings.PITHOS_RESOURCE_MAX_METADATA
    if count > limit:
        raise BadRequest(f"An image has at most {limit} metadata items.")


def check_items(stored: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raise ``BadRequest`` unless *wanted*, merged into the *stored* items of an image, can be kept."""
    for key, value in wanted.items():
        if len(key) > MAX_KEY or key == PROPERTY_PREFIX:
            raise BadRequest(
                f"The name of property '{key[len(PROPERTY_PREFIX) :][:64]}' is empty or too long"
            )
        if len(value) > MAX_VALUE:
            raise BadRequest(f"The value of '{key[len(PREFIX) :]}' has more than {MAX_VALUE} characters")
        if "\0" in key + value:
            raise BadRequest(f"'{key[len(PREFIX) :]}' has a null character")
    _check_count(sum(1 for value in {**stored, **wanted}.values() if value))


@retry_on_deadlock
def update(
    credentials: Credentials, *, image_id: str, fields: ImageFields, replace_properties: bool = False
) -> Image:
    """Change an image's fields and merge its properties, or replace them; return the image.

    Publishing and the status are the owner's; the rest needs write permission. Raises ``BadRequest``,
    ``NotFound`` and ``Forbidden``.
    """
    check_formats(fields)
    if fields.status is not None and fields.status not in SETTABLE_STATUSES:
        raise BadRequest(f"Invalid 'status': use one of {', '.join(sorted(SETTABLE_STATUSES))}")
    with atomic():
        image = images.get_image(credentials, image_id)
        if fields.status is not None and image.owner != credentials.user_id:
            raise Forbidden("Only the owner of an image can set its status.")
        if fields.is_public is not None and fields.is_public != image.is_public:
            _set_readers(credentials, image, image.users, public=fields.is_public)
        changes = {
            f"{PREFIX}{name}": value
            for name in ("name", "disk_format", "container_format", "status")
            if (value := getattr(fields, name))
        }
        properties = dict(fields.properties)
        if fields.is_joined:
            stored = image.properties
            properties = {
                key: _without_duplicate(value, stored.get(key)) for key, value in properties.items()
            }
        removed = set(fields.removed_properties) & set(image.properties)
        if replace_properties:
            removed |= set(image.properties) - set(properties)
        changes |= _property_items(properties) | {f"{PREFIX}{key}": v for key, v in fields.extras.items()}
        if changes or removed:
            image = _store(credentials, image.id, image.stored, changes, removed_properties=sorted(removed))
        else:
            image = images.get_image(credentials, image_id)
        audit.record(credentials, "image.update", f"image:{image.id}")
    return image


def _without_duplicate(value: str, stored: str | None) -> str:
    """Return the new one of two values that a server joined, because a client sent old and new."""
    if not stored:
        return value
    if value.startswith(f"{stored},"):
        return value[len(stored) + 1 :].strip()
    return value[: -len(stored) - 1].strip() if value.endswith(f",{stored}") else value


@retry_on_deadlock
def set_properties(credentials: Credentials, *, image_id: str, properties: Mapping[str, str]) -> Image:
    """Merge *properties*, whose names keep their case, into an image; an empty value deletes."""
    with atomic():
        image = images.get_image(credentials, image_id)
        changed = _store(credentials, image.id, image.stored, _property_items(properties))
        audit.record(credentials, "image.set_properties", f"image:{image.id}")
    return changed


def delete_property(credentials: Credentials, *, image_id: str, key: str) -> None:
    """Delete a property; raises ``NotFound`` when the image has none of that name."""
    if key not in images.get_image(credentials, image_id).properties:
        raise NotFound("Metadata key not found")
    set_properties(credentials, image_id=image_id, properties={key: ""})


@retry_on_deadlock
def unregister(credentials: Credentials, *, image_id: str) -> None:
    """Make an image a mere file again; the file, its members and permissions stay."""
    with atomic():
        image = images.get_image(credentials, image_id)
        if image.is_protected:
            raise Forbidden("The image is protected. Take its protection away first.")
        pithos.update_domain_metadata(credentials, uuid=image.id, domain=DOMAIN, metadata={}, replace=True)
        audit.record(credentials, "image.unregister", f"image:{image.id}")


@retry_on_deadlock
def delete(credentials: Credentials, *, image_id: str) -> None:
    """Unregister an image; a file that the image service made, or a snapshot's, is deleted with it."""
    with atomic():
        unregister(credentials, image_id=(image := images.get_image(credentials, image_id)).id)
        if image.is_upload or image.is_snapshot:
            pithos.delete_object(credentials, uuid=image.id)
            SnapshotJob.objects.filter(snapshot_id=image.id).delete()


def set_members(credentials: Credentials, *, image_id: str, members: Sequence[str]) -> None:
    """Make *members* (users, or ``owner:group``) the explicit readers of an own image."""
    _change_members(credentials, image_id, lambda _: members)


def add_member(credentials: Credentials, *, image_id: str, member: str) -> None:
    """Add a reader to an own image, if it is not one yet."""
    _change_members(credentials, image_id, lambda current: [*current, member])


def remove_member(credentials: Credentials, *, image_id: str, member: str) -> None:
    """Remove a reader of an own image, if it is one."""
    _change_members(credentials, image_id, lambda current: [m for m in current if m != member])


@retry_on_deadlock
def _change_members(
    credentials: Credentials, image_id: str, change: Callable[[Sequence[str]], Sequence[str]]
) -> None:
    with atomic():
        image = images.get_image(credentials, image_id)
        members = change(image.users)
        if len(members) > MAX_MEMBERS:
            raise BadRequest(f"An image has at most {MAX_MEMBERS} members.")
        # Those that the object store gave it may be called anything.
        for member in set(members) - set(image.users):
            if not _MEMBER.match(member) or member.endswith("\n"):
                raise BadRequest(f"'{member[:64]}' is neither a user nor a group")
        _set_readers(credentials, image, members, public=image.is_public)
        audit.record(credentials, "image.share", f"image:{image.id}", members=sorted(set(members)))


def _set_readers(credentials: Credentials, image: Image, members: Sequence[str], *, public: bool) -> None:
    if image.owner != credentials.user_id:
        raise Forbidden("Only the owner of an image can share it.")
    readers = set(members) - {image.owner} | ({PUBLIC} if public else set())
    pithos.update_readers(credentials, uuid=image.id, readers=sorted(readers))


def shared_by(credentials: Credentials, *, owner: str) -> list[Image]:
    """Return the images of *owner* that are not public and that the user may read."""
    return [
        image for image in images.list_images(credentials) if image.owner == owner and not image.is_public
    ]
