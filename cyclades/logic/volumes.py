"""Reading, locking and naming volumes (volume contract 3 and 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy

from cyclades.logic.visibility import visible_volumes
from cyclades.logic.volume_types import is_detachable
from cyclades.models import Volume
from synnefo import audit
from synnefo.credentials import Credentials
from synnefo.db import locks
from synnefo.errors import BadRequest, NotFound, NotImplementedFault, NotModified

MAX_TEXT = 255
MAX_PAGE = 1000

#: What lists sort by, and the column of each.
SORT_KEYS = {
    "id": "pk",
    "name": "name",
    "display_name": "name",
    "status": "status",
    "size": "size",
    "created_at": "created",
    "updated_at": "updated",
}


@dataclass(frozen=True)
class VolumeFilter:
    """What a list of volumes is narrowed to; ``None`` means no condition.

    ``changes_since`` brings deleted volumes too; ``marker`` is the id of the last volume seen; ``sort`` holds
    pairs of a key of ``SORT_KEYS`` and whether it descends.
    """

    changes_since: dt.datetime | None = None
    name: str | None = None
    status: str | None = None
    project: str | None = None
    user_id: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    sort: tuple[tuple[str, bool], ...] = (("id", False),)
    marker: int | None = None
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class VolumePage:
    """Volumes in the wanted order and whether more follow; ``count`` is that of all pages, if asked for."""

    volumes: list[Volume]
    has_more: bool
    count: int | None = None


def get_volume(credentials: Credentials, *, volume_id: int) -> Volume:
    """Return a visible volume with its type, deleted or not; raises ``NotFound``."""
    volume = visible_volumes(credentials).select_related("volume_type").filter(pk=volume_id).first()
    if volume is None:
        raise NotFound(f"Volume {volume_id} not found")
    return volume


def live_volume(credentials: Credentials, *, volume_id: int) -> Volume:
    """Return a visible volume that is not deleted; raises ``NotFound`` or ``BadRequest``."""
    return _require_live(get_volume(credentials, volume_id=volume_id))


def lock_volume(credentials: Credentials, *, volume_id: int) -> Volume:
    """Lock and return a visible volume that is not deleted, with its type; raises like ``live_volume``."""
    rows = visible_volumes(credentials).select_related("volume_type").filter(pk=volume_id)
    try:
        return _require_live(locks.lock_one(rows))
    except Volume.DoesNotExist as error:
        raise NotFound(f"Volume {volume_id} not found") from error


def _require_live(volume: Volume) -> Volume:
    if volume.deleted:
        raise BadRequest(f"Volume {volume.pk} has been deleted.")
    return volume


def list_volumes(
    credentials: Credentials, *, conditions: VolumeFilter, with_count: bool = False
) -> VolumePage:
    """Return visible volumes with their types and metadata.

    Raises ``NotModified`` when nothing changed since the named moment and ``BadRequest`` for a marker that
    names no volume.
    """
    rows = _narrowed(visible_volumes(credentials), conditions)
    count = rows.count() if with_count else None
    if conditions.marker is not None and conditions.sort == (("id", False),):
        rows = rows.filter(pk__gt=conditions.marker)
    rows = rows.select_related("volume_type").prefetch_related("metadata")
    rows = rows.order_by(*_order(conditions.sort))
    start = conditions.offset + _place_after(rows, conditions)
    if conditions.limit is None:
        found, has_more = list(rows[start:]), False
    else:
        limit = min(conditions.limit, MAX_PAGE)
        found = list(rows[start : start + limit + 1])
        found, has_more = found[:limit], len(found) > limit
    if conditions.changes_since is not None and not found:
        raise NotModified()
    return VolumePage(found, has_more, count)


def _narrowed(volumes: QuerySet[Volume], conditions: VolumeFilter) -> QuerySet[Volume]:
    if conditions.changes_since is not None:
        volumes = volumes.filter(updated__gte=conditions.changes_since)
    else:
        volumes = volumes.filter(deleted=False)
    equal = {
        "name": conditions.name,
        "status": conditions.status,
        "project": conditions.project,
        "userid": conditions.user_id,
    }
    volumes = volumes.filter(**{key: value for key, value in equal.items() if value is not None})
    for key, value in conditions.metadata:
        volumes = volumes.filter(metadata__key=key, metadata__value=value)
    return volumes


def _order(sort: Sequence[tuple[str, bool]]) -> list[OrderBy]:
    columns = [(SORT_KEYS[key], descends) for key, descends in sort]
    if not any(column == "pk" for column, _ in columns):
        columns.append(("pk", columns[-1][1] if columns else False))
    return [
        F(column).desc(nulls_last=True) if descends else F(column).asc(nulls_first=True)
        for column, descends in columns
    ]


def _place_after(rows: QuerySet[Volume], conditions: VolumeFilter) -> int:
    """Return how many rows come before and with the marker, where the filter did not leave them out."""
    if conditions.marker is None or conditions.sort == (("id", False),):
        return 0
    ids = list(rows.values_list("pk", flat=True))
    if conditions.marker not in ids:
        raise BadRequest(f"'marker' names no volume: {conditions.marker}")
    return ids.index(conditions.marker) + 1


def check_text(value: str | None, field: str) -> str | None:
    """Return *value* if it is short enough; else ``BadRequest`` naming *field*."""
    if value is not None and len(value) > MAX_TEXT:
        raise BadRequest(f"'{field}' has at most {MAX_TEXT} characters, not {len(value)}")
    return value


@dataclass(frozen=True)
class VolumeChange:
    """What to change of a volume; ``None`` leaves a property as it is."""

    name: str | None = None
    description: str | None = None
    delete_on_termination: bool | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is to be changed."""
        return self == VolumeChange()


@locks.retry_on_deadlock
def update_volume(credentials: Credentials, *, volume_id: int, change: VolumeChange) -> Volume:
    """Apply *change*; raises ``NotFound``, ``BadRequest`` (deleted, nothing to change, lengths) and, for
    volumes that shall outlive their server, ``NotImplementedFault``.
    """
    if change.is_empty:
        raise BadRequest("Nothing to change: give a name, a description or delete_on_termination")
    check_text(change.name, "display_name")
    check_text(change.description, "display_description")
    with locks.atomic():
        volume = lock_volume(credentials, volume_id=volume_id)
        if change.delete_on_termination is False:
            refuse_outliving(volume.volume_type.template)
        for column in ("name", "description", "delete_on_termination"):
            value = getattr(change, column)
            if value is not None:
                setattr(volume, column, value)
        volume.save(update_fields=["name", "description", "delete_on_termination", "updated"])
        audit.record(credentials, "volume.update", f"volume:{volume_id}")
    return volume


def refuse_outliving(template: str) -> None:
    """Raise for a volume that shall outlive its server, which no kind of disk offers."""
    if template != "ext":
        raise BadRequest("Volumes of this type are deleted with their server: delete_on_termination is true")
    raise NotImplementedFault("'delete_on_termination' can't be false: volumes are deleted with their server")


def require_detachable(volume: Volume) -> None:
    """Raise ``BadRequest`` unless *volume* may leave one server and join another."""
    if not is_detachable(volume.volume_type):
        raise BadRequest(
            f"Volume {volume.pk} can't be attached or detached: its type {volume.volume_type.name} is not "
            "detachable"
        )
