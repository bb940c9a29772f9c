"""The partition table of an instance's disk: finding the root partition, growing the last one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from gtools.osprovider import tools
from gtools.osprovider.errors import DeployError

SWAP_TYPES = frozenset({"82", "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"})
EXTENDED_TYPES = frozenset({"5", "f", "85"})
FIRST_LOGICAL = 5
ALIGNMENT = 1024 * 1024
SECTOR = 512


@dataclass(frozen=True)
class Partition:
    """One partition; ``start`` and ``size`` in bytes, ``type`` as sfdisk shows it."""

    number: int
    start: int
    size: int
    type: str

    @property
    def end(self) -> int:
        """The byte after its last."""
        return self.start + self.size


@dataclass(frozen=True)
class Table:
    """A disk's partition table; ``label`` is dos or gpt."""

    label: str
    partitions: tuple[Partition, ...]

    def numbered(self, number: int) -> Partition:
        """Return a partition by number; raise `DeployError`."""
        for partition in self.partitions:
            if partition.number == number:
                return partition
        raise DeployError(f"the image has no partition {number}")

    def last(self) -> Partition | None:
        """Return the partition with data that lies last on the disk."""
        candidates = [p for p in self.partitions if self.label != "dos" or p.type not in EXTENDED_TYPES]
        return max(candidates, key=lambda partition: partition.start, default=None)


def read_table(disk: str) -> Table | None:
    """Return the disk's partition table, None if it has none."""
    output = tools.run(["sfdisk", "--json", disk], accepted=(0, 1))
    if not output.strip():
        return None
    try:
        content: dict[str, Any] = json.loads(output)["partitiontable"]
        sector = int(content.get("sectorsize", 512))
        partitions = tuple(
            Partition(
                number=_number(str(item["node"])),
                start=int(item["start"]) * sector,
                size=int(item["size"]) * sector,
                type=str(item["type"]),
            )
            for item in content.get("partitions", [])
        )
        return Table(label=str(content["label"]), partitions=partitions)
    except (ValueError, KeyError, TypeError):
        raise DeployError("the image's partition table can't be understood") from None


def _number(node: str) -> int:
    match = re.search(r"([0-9]+)$", node)
    if match is None:
        raise ValueError(node)
    return int(match[1])


def grow_last(disk: str, disk_size: int, reserve: int = 0) -> str:
    """Let the last partition extend to the end of the disk; return what was done, as text.

    reserve: bytes to leave free at the end.
    """
    table = read_table(disk)
    last = table.last() if table else None
    if table is None or last is None:
        return "no partition table: nothing to enlarge"
    if last.type.upper() in SWAP_TYPES:
        return "the last partition is swap space: not enlarged"
    if table.label == "gpt":
        # The second copy of the table belongs at the disk's new end, else the room behind it is out of reach.
        _sfdisk(disk, "--relocate", "gpt-bak-std")
    elif last.number >= FIRST_LOGICAL:
        extended = [partition for partition in table.partitions if partition.type in EXTENDED_TYPES]
        if extended:
            _sfdisk(disk, "-N", str(extended[0].number), script=", +\n")
    size = "+"
    if reserve:
        end = (disk_size - reserve) // ALIGNMENT * ALIGNMENT - ALIGNMENT
        if end < last.end:
            raise DeployError("the disk is too small for the image's swap partition")
        size = str((end - last.start) // SECTOR)
    _sfdisk(disk, "-N", str(last.number), script=f", {size}\n")
    grown = read_table(disk)
    after = grown.numbered(last.number).size if grown else last.size
    return f"partition {last.number}: {last.size} → {after} bytes"


def add_swap(disk: str, number: int, size: int) -> Partition:
    """Make a swap partition of ``size`` bytes behind the last one; return it."""
    table = read_table(disk)
    last = table.last() if table else None
    if table is None or last is None:
        raise DeployError("the image has no partition table for a swap partition")
    if any(partition.number == number for partition in table.partitions):
        raise DeployError(f"the image has a partition {number} already: no room for swap space")
    start = -(-last.end // ALIGNMENT) * ALIGNMENT
    script = f"start={start // SECTOR}, size={size // SECTOR}, type=swap\n"
    _sfdisk(disk, "-N", str(number), script=script)
    made = read_table(disk)
    if made is None:
        raise DeployError("the partition table vanished")
    return made.numbered(number)


def _sfdisk(disk: str, *options: str, script: str | None = None) -> None:
    command = ["sfdisk", "--no-reread", "--no-tell-kernel", "--force", "--quiet"]
    if script is None:
        tools.run(["sfdisk", *options, disk])
    else:
        tools.run([*command, *options, disk], input_text=script)
