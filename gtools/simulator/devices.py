"""Finding an instance's NIC or disk the way modify requests name it."""

from __future__ import annotations

from gtools.simulator.errors import execution, prerequisite

Names = list[tuple[str | None, str]]


def as_index(which: int | str) -> int | None:
    """Return the index that an identifier is, None when it is a name or uuid."""
    if isinstance(which, int):
        return which
    text = which.removeprefix("-")
    return int(which) if text.isdigit() else None


def position(kind: str, devices: Names, which: int | str) -> int:
    """Return where the device with an index (-1: the last), name or uuid is, or fail."""
    index = as_index(which)
    if index is None:
        for place, names in enumerate(devices):
            if which in names:
                return place
        raise prerequisite(f"Cannot find {kind} with identifier {which}", "unknown_entity")
    if index == -1:
        index = len(devices) - 1
    if not 0 <= index < len(devices):
        raise execution(f"Got {kind} index {index}, but there are only {len(devices)}")
    return index


def insertion(kind: str, count: int, which: int | str) -> int:
    """Return where a new device goes, or fail."""
    index = as_index(which)
    if index is None:
        raise prerequisite("Only positive integer or -1 is accepted as identifier for add", "wrong_input")
    if index == -1:
        return count
    if not 0 <= index <= count:
        raise execution(f"Got {kind} index {index}, but there are only {count}")
    return index
