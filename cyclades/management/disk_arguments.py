"""How server-create reads the disks of a new server (administrator's contract 4.4)."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError

from cyclades.logic.block_devices import BLANK, IMAGE, SNAPSHOT, VOLUME, BlockDevice
from cyclades.management.arguments import number, numbers, specs

VOLUME_HELP = "size=<GiB>[,image=<uuid>|,snapshot=<uuid>] or id=<volume>; may be repeated, system disk first."
_SOURCES = (IMAGE, SNAPSHOT)


def block_devices(texts: Sequence[str], image_id: str | None) -> list[BlockDevice]:
    """Return the disks of the given specifications; the first without a source is made of *image_id*.

    Raises ``CommandError`` for what is no specification.
    """
    devices = [_device(text) for text in texts]
    if devices and devices[0].source_type == BLANK and image_id:
        devices[0] = BlockDevice(IMAGE, image_id, devices[0].size)
    return devices


def boot_image(devices: Sequence[BlockDevice]) -> str | None:
    """Return the image or snapshot that the system disk is made of, if it is."""
    return devices[0].source_id if devices and devices[0].source_type in _SOURCES else None


def _device(text: str) -> BlockDevice:
    given = specs(text)
    if set(given) == {"id"}:
        return BlockDevice(VOLUME, str(number(given["id"], "Volume")))
    sources = [name for name in _SOURCES if name in given]
    if "size" not in given or len(sources) > 1 or set(given) - {"size", *sources}:
        raise CommandError(f"'{text}' is not {VOLUME_HELP.partition(';')[0]}")
    (size,) = numbers(given["size"], "size of a volume")[:1]
    return BlockDevice(sources[0], given[sources[0]], size) if sources else BlockDevice(BLANK, "", size)
