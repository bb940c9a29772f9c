"""One object of a listing as clients read it (object-storage contract 6.2)."""

from __future__ import annotations

from pithos.api.links import public_url
from pithos.api.rendering import epoch, iso
from pithos.logic.listings import ObjectEntry


def object_record(
    entry: ObjectEntry, *, past: bool, is_owner: bool, as_json: bool = False
) -> dict[str, object]:
    """Return the fields of an entry, for ``dumps_records`` or not.

    ``past`` leaves out what a listing of the past does not know.
    """
    record: dict[str, object] = {
        "name": entry.name,
        "hash": entry.checksum,
        "bytes": entry.bytes,
        "content_type": entry.type,
        "x_object_hash": entry.hash,
        "x_object_uuid": entry.uuid,
        "x_object_version": entry.version,
        "x_object_version_timestamp": epoch(entry.mtime),
        "x_object_modified_by": entry.muser,
        "available": entry.available,
        "map_check_timestamp": epoch(entry.map_check_timestamp) if entry.map_check_timestamp else None,
    }
    if past:
        return record
    # The JSON library writes a time as ``iso`` does, only faster, but leaves out a fraction that is none.
    record["last_modified"] = entry.mtime if as_json and entry.mtime.microsecond else iso(entry.mtime)
    if entry.sharing:
        record["x_object_sharing"] = entry.sharing.header
        if entry.allowed_to:
            record["x_object_allowed_to"] = entry.allowed_to
    if is_owner and entry.public_id:
        record["x_object_public"] = public_url(entry.public_id)
    return record
