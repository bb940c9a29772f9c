"""``block_device_mapping_v2`` of a server's creation (compute contract 5.4)."""

from __future__ import annotations

from typing import Any

from cyclades.logic.block_devices import BLANK, SOURCE_TYPES, BlockDevice
from synnefo.api import fields
from synnefo.errors import BadRequest

_MAX_DEVICES = 100
_MAX_ID = 64


def parse_block_devices(server: dict[str, Any]) -> list[BlockDevice]:
    """Return the wanted disks, the system disk first; raises ``BadRequest`` naming the field."""
    devices = fields.optional_list(server, "block_device_mapping_v2", max_items=_MAX_DEVICES)
    if not all(isinstance(device, dict) for device in devices):
        raise BadRequest("'block_device_mapping_v2' must be a list of objects")
    return [_parse(device) for device in _in_order(devices)]


def _in_order(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *devices* by boot index where each has one, as Nova counts; else as they came."""
    indexes = [device.get("boot_index") for device in devices]
    if not all(isinstance(index, int) and not isinstance(index, bool) for index in indexes):
        return devices
    # Nova marks with -1 what is not booted from.
    return sorted(devices, key=lambda device: (device["boot_index"] < 0, device["boot_index"]))


def _parse(device: dict[str, Any]) -> BlockDevice:
    source_type = device.get("source_type")
    if source_type not in SOURCE_TYPES:
        raise BadRequest(f"'source_type' must be one of {', '.join(SOURCE_TYPES)}")
    if device.get("destination_type") not in (None, "volume", "local"):
        raise BadRequest("'destination_type' must be volume or local")
    source_id = device.get("uuid")
    if isinstance(source_id, int) and not isinstance(source_id, bool):
        source_id = str(source_id)
    if source_type != BLANK and (not isinstance(source_id, str) or not 1 <= len(source_id) <= _MAX_ID):
        raise BadRequest("'uuid' of a block device must name its source")
    flag = device.get("delete_on_termination")
    if flag is not None and not isinstance(flag, bool):
        raise BadRequest("'delete_on_termination' must be true or false")
    return BlockDevice(
        source_type=source_type,
        source_id=str(source_id) if source_type != BLANK else "",
        size=_size(device),
        delete_on_termination=flag,
        local=device.get("destination_type") == "local",
    )


def _size(device: dict[str, Any]) -> int | None:
    value = device.get("volume_size")
    if value is None:
        return None
    return fields.require_id(value, "volume size")
