"""How commands show a snapshot (administrator's contract 4.3)."""

from __future__ import annotations

from typing import Any

from cyclades.logic import snapshots
from cyclades.logic.images import Image
from cyclades.models import SnapshotJob

LIST_FIELDS = ("id", "name", "volume_id", "size", "mapfile", "status", "owner", "is_public")


def summary(snapshot: Image, *, full: bool = False) -> dict[str, Any]:
    """Return the fields of snapshot-list, or those of snapshot-show; ``size`` in GiB."""
    fields: dict[str, Any] = {name: getattr(snapshot, name) for name in LIST_FIELDS}
    fields["size"] = snapshots.size_of(snapshot)
    if not full:
        return fields
    job = SnapshotJob.objects.filter(snapshot_id=snapshot.id).first()
    return fields | {
        "description": snapshot.description,
        "location": snapshot.location,
        "created_at": snapshot.created_at,
        "properties": snapshot.properties,
        "backend_info": snapshot.backend_info,
        "request": job.state if job else None,
        "attempts": job.attempts if job else None,
        "last_error": job.last_error if job else None,
    }
