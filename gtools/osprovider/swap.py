"""The swap partition that an image asks for (image contract 7, SWAP)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from gtools.osprovider.errors import DeployError
from gtools.osprovider.image_root import ImageRoot

MIB = 1024 * 1024
MAX_PARTITION = 128


@dataclass(frozen=True)
class Swap:
    """A swap partition to be made at the end of the disk; ``size`` in bytes."""

    partition: int
    size: int
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def add_to_fstab(self, root: ImageRoot) -> None:
        """Have the guest use it at every boot."""
        present = (root.read("/etc/fstab") or b"").decode("utf-8", "surrogateescape")
        if present and not present.endswith("\n"):
            present += "\n"
        line = f"UUID={self.uuid}\tnone\tswap\tsw\t0\t0\n"
        root.rewrite("/etc/fstab", (present + line).encode("utf-8", "surrogateescape"))


def parse_swap(text: str) -> Swap | None:
    """Return the swap partition of the property ``<partition>:<MiB>``, None if there is none."""
    if not text.strip():
        return None
    number, _, size = text.strip().partition(":")
    if not (number + size).isascii() or not number.isdigit() or not size.isdigit():
        raise DeployError("the image's SWAP must be PARTITION:MEGABYTES")
    if not 0 < int(number) <= MAX_PARTITION or not 0 < int(size) < 1 << 30:
        raise DeployError("the image's SWAP is out of range")
    return Swap(partition=int(number), size=int(size) * MIB)
