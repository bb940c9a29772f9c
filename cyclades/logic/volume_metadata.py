"""Keys and values that users keep on volumes (volume contract 5)."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from cyclades.logic.volumes import get_volume, lock_volume
from cyclades.models import Volume, VolumeMetadata
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound

MAX_KEY = 64
MAX_VALUE = 255


def check_items(items: dict[str, Any]) -> dict[str, str]:
    """Return *items* if all are short strings; raises ``BadRequest``."""
    for key, value in items.items():
        if not 1 <= len(key) <= MAX_KEY:
            raise BadRequest(f"A metadata key has 1 to {MAX_KEY} characters, '{key[:80]}' has {len(key)}")
        if not isinstance(value, str) or len(value) > MAX_VALUE:
            raise BadRequest(f"The metadata value of '{key}' must be text of at most {MAX_VALUE} characters")
    check_count(len(items))
    return items


def check_count(count: int) -> None:
    """Raise ``BadRequest`` when a volume would have too many items."""
    limit = settings.CYCLADES_VOLUME_MAX_METADATA
    if count > limit:
        raise BadRequest(f"A volume can have at most {limit} metadata items, not {count}")


def get_metadata(credentials: Credentials, *, volume_id: int) -> dict[str, str]:
    """Return all items of a visible volume; raises ``NotFound``."""
    return _items(get_volume(credentials, volume_id=volume_id))


def get_item(credentials: Credentials, *, volume_id: int, key: str) -> str:
    """Return one value; raises ``NotFound`` for the volume or the key."""
    item = VolumeMetadata.objects.filter(volume=get_volume(credentials, volume_id=volume_id), key=key).first()
    if item is None:
        raise NotFound("Metadata key not found.")
    return item.value


@locks.retry_on_deadlock
def set_metadata(
    credentials: Credentials, *, volume_id: int, items: dict[str, Any], replace: bool = False
) -> dict[str, str]:
    """Merge *items* into a volume's metadata, or *replace* it, and return the result.

    Raises ``NotFound`` or ``BadRequest`` (deleted, limits of the result).
    """
    checked = check_items(items)
    with locks.atomic():
        volume = lock_volume(credentials, volume_id=volume_id)
        result = checked if replace else _items(volume) | checked
        check_count(len(result))
        if replace:
            volume.metadata.exclude(key__in=checked).delete()
        VolumeMetadata.objects.bulk_create(
            [VolumeMetadata(volume=volume, key=key, value=value) for key, value in checked.items()],
            update_conflicts=True,
            unique_fields=["volume", "key"],
            update_fields=["value"],
        )
        volume.save(update_fields=["updated"])
        audit.record(credentials, "volume.set_metadata", f"volume:{volume_id}", keys=sorted(checked))
    return result


@locks.retry_on_deadlock
def delete_item(credentials: Credentials, *, volume_id: int, key: str) -> None:
    """Delete one item; raises ``NotFound`` for the volume and ``BadRequest`` for an unknown key."""
    with locks.atomic():
        volume = lock_volume(credentials, volume_id=volume_id)
        deleted, _ = volume.metadata.filter(key=key).delete()
        if not deleted:
            raise BadRequest(f"Volume {volume_id} has no metadata item '{key[:80]}'")
        volume.save(update_fields=["updated"])
        audit.record(credentials, "volume.delete_metadata", f"volume:{volume_id}", keys=[key])


def _items(volume: Volume) -> dict[str, str]:
    return dict(volume.metadata.order_by("key").values_list("key", "value"))
